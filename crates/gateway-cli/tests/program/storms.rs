//! The outputs in docs/guide/src/storms.md are those of the program. `GATEWAY_BLESS=1` writes them.

use std::{env, fs, path::PathBuf};

use super::common::{Ended, gateway, run, words};

/// The text between a command and its output.
const BETWEEN: &str = "\n```\n\n```text\n";

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/src/storms.md")
}

/// The page with the program's own output behind each command that shows one, and their number.
async fn played(text: &str) -> (String, usize) {
    let (mut played, mut left, mut count) = (String::new(), text, 0);
    while let Some((before, after)) = left.split_once(BETWEEN) {
        let (_, command) = before.rsplit_once("```sh\n").expect("an output follows a command");
        let (_, rest) = after.split_once("```").expect("the block ends");
        let arguments = command.strip_prefix("gateway ").expect("a command of the program");
        let Ended { status, stdout, stderr } = run(gateway(&words(arguments)), b"").await;
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{command}");
        played.extend([before, BETWEEN, &stdout, "```"]);
        (left, count) = (rest, count + 1);
    }
    (played + left, count)
}

#[tokio::test]
async fn the_page_shows_what_the_program_prints() {
    let text = fs::read_to_string(page()).expect("it is UTF-8");
    let (played, count) = played(&text).await;
    assert_eq!(count, 2);
    if env::var_os("GATEWAY_BLESS").is_some() {
        fs::write(page(), &played).expect("it is writable");
    } else {
        assert_eq!(text, played, "GATEWAY_BLESS=1 writes the page");
    }
}
