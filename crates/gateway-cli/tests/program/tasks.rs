//! Runs every block of docs/CONNECT.md, and compares what it prints with the page.
#![cfg(target_os = "linux")] // so is the module `broken`

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
};

use super::broken;
use super::common::{Server, soon, text, without_settings};
use gateway_tests::{Listener, Made, Peer};
use rustls::ALL_VERSIONS;
use tokio::process::{Child, Command};

/// The page's address of a TLS server, which `gateway serve` is not.
const TLS_ADDRESS: &str = "localhost:9443";
/// Stands for any text within a line.
const ANY: &str = "…";
/// What the program writes before a prompt or a message on a terminal: it empties the line.
const CLEARED: &str = "\r\x1b[K";

/// A block of the page.
struct Block {
    line: usize,
    script: String,
    /// The lines that it prints, from the comments at its end.
    prints: Vec<String>,
}

/// Every block of the page in order. One that is no shell block would not be run.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, fence)) = lines.next() {
        let fence = fence.trim_start();
        assert!(!fence.starts_with("~~~"), "line {}: a fence that is not read", number + 1);
        let Some(language) = fence.strip_prefix("```") else { continue };
        assert_eq!(language, "sh", "line {}: only shell blocks are run", number + 1);
        let mut block = Block { line: number + 1, script: String::new(), prints: Vec::new() };
        loop {
            let (_, line) = lines.next().expect("a block has an end");
            match line.strip_prefix("# ") {
                _ if line == "```" => break,
                Some(printed) => block.prints.push(printed.to_owned()),
                None => {
                    assert!(block.prints.is_empty(), "line {}: output in its midst", block.line);
                    block.script.extend([line, "\n"]);
                }
            }
        }
        blocks.push(block);
    }
    blocks
}

/// Where the blocks run: a folder of their own, and the servers that the page has started.
struct Stage {
    folder: PathBuf,
    servers: Vec<Server>,
    /// The page's addresses, and those in place of them.
    addresses: Vec<(String, String)>,
}

impl Stage {
    async fn new() -> io::Result<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.join(format!("tasks-{}", std::process::id()));
        // Of a run that failed, with the same process id.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("bin"))?;
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_gateway"), folder.join("bin/gateway"))?;
        let tls = (TLS_ADDRESS.to_owned(), tls_echo(&folder.join("server.pem")).await?);
        Ok(Self { folder, servers: Vec::new(), addresses: vec![tls] })
    }

    async fn run(&mut self, block: &Block) -> io::Result<()> {
        if let Some(arguments) = block.script.strip_prefix("gateway serve --listen ") {
            let mut arguments = arguments.split_whitespace();
            let address = arguments.next().expect("an address");
            let server = Server::start(&arguments.collect::<Vec<_>>()).await;
            let port = server.url.strip_prefix("ws://").expect("a URL without TLS");
            self.addresses.push((address.to_owned(), port.to_owned()));
            self.servers.push(server);
            assert!(block.prints.is_empty(), "line {}: what it prints is not compared", block.line);
            return Ok(());
        }
        if block.script.contains("| jq ") && !has("jq").await {
            // Past the capture of a test's output.
            return writeln!(io::stderr(), "line {} is skipped: there is no jq", block.line);
        }
        let printed = if block.prints.iter().any(|line| line.starts_with("> ")) {
            self.typed(block).await?
        } else {
            let mut shell = self.shell(&block.script);
            let process = shell.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
            let group = Group::of(&process);
            let output = soon(process.wait_with_output()).await?;
            group.ended();
            text(&output.stdout)
        };
        let printed: Vec<&str> = printed.lines().collect();
        let is_as_said = printed.len() == block.prints.len()
            && block
                .prints
                .iter()
                .zip(&printed)
                .all(|(said, line)| matches(&self.here(said), line));
        assert!(is_as_said, "line {}: it prints {printed:#?}", block.line);
        Ok(())
    }

    /// What a reader does at a terminal: types, waits for each answer, and ends it with Ctrl-C.
    async fn typed(&self, block: &Block) -> io::Result<String> {
        let (master, terminal) = broken::pty()?;
        assert!(terminal.is_terminal());
        let mut shell = self.shell(&block.script);
        shell.stdin(Stdio::from(terminal.try_clone()?)).stdout(Stdio::from(terminal));
        let mut process = shell.spawn()?;
        drop(shell);
        let group = Group::of(&process);
        let lines = block.prints.clone();
        let session = tokio::task::spawn_blocking(move || {
            let mut shown = String::new();
            broken::read_until(&master, &mut shown, &format!("{CLEARED}> "))?;
            for line in &lines {
                match line.strip_prefix("> ") {
                    Some(typed) => {
                        let line = format!("{typed}\n");
                        assert_eq!(rustix::io::write(&master, line.as_bytes())?, line.len());
                    }
                    None => {
                        broken::read_until(&master, &mut shown, &format!("{CLEARED}{line}\r\n"))?
                    }
                }
            }
            Ok::<_, io::Error>((master, shown))
        });
        let (master, shown) = soon(session).await.expect("no panic")?;
        assert!(group.signal("-INT"), "no kill on the path");
        let rest = tokio::task::spawn_blocking(move || broken::read_terminal(&master));
        let shown = shown + &soon(rest).await.expect("no panic");
        soon(process.wait()).await?;
        group.ended();
        let visible = |line: &str| line.rsplit(CLEARED).next().unwrap_or(line).to_owned();
        let lines: Vec<_> = shown.lines().map(visible).filter(|line| !line.is_empty()).collect();
        Ok(lines.join("\n"))
    }

    /// A text of the page with the servers' addresses in place of the page's.
    fn here(&self, text: &str) -> String {
        self.addresses
            .iter()
            .fold(text.to_owned(), |text, (of_page, address)| text.replace(of_page, address))
    }

    /// A shell with the program on its path, and stderr where stdout is, as at a terminal.
    fn shell(&self, script: &str) -> Command {
        let script = self.here(&format!("exec 2>&1\n{script}"));
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", self.folder.join("bin").display());
        let mut command = without_settings(Command::new("sh"));
        command.args(["-c", &script]).env("PATH", path).env("NO_COLOR", "1");
        command.current_dir(&self.folder).process_group(0);
        command
    }
}

/// A shell and what it has started. It is killed if the test fails while it runs.
struct Group(String);

impl Group {
    fn of(shell: &Child) -> Self {
        Self(format!("-{}", shell.id().expect("it runs")))
    }

    fn signal(&self, name: &str) -> bool {
        let mut kill = std::process::Command::new("kill");
        let status = kill.args([name, "--", &self.0]).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// Its id may name another group from now on.
    fn ended(self) {
        std::mem::forget(self);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal("-KILL");
    }
}

/// Whether a line is the page's, where `…` is any text.
fn matches(said: &str, line: &str) -> bool {
    let Some((first, others)) = said.split_once(ANY) else { return said == line };
    let (middle, last) = others.rsplit_once(ANY).unwrap_or(("", others));
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    for part in middle.split(ANY) {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

async fn has(tool: &str) -> bool {
    let asked = Command::new(tool).arg("--version").stdout(Stdio::null()).status().await;
    asked.is_ok_and(|status| status.success())
}

/// A TLS server on loopback that echoes, and its self-signed certificate in this file. Returns its address.
async fn tls_echo(pem: &Path) -> io::Result<String> {
    let made = Made::new(false);
    fs::write(pem, made.certificate.pem())?;
    let acceptor = made.acceptor(ALL_VERSIONS, None);
    let listener = Listener::bind().await;
    let address = listener.secure_url().replace("wss://", "");
    tokio::spawn(async move {
        loop {
            let (tcp, acceptor) = (listener.accept().await, acceptor.clone());
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(tcp).await else { return };
                Peer::accept(tls).await.echo().await;
            });
        }
    });
    Ok(address)
}

#[tokio::test]
async fn every_block_of_the_page_runs_and_prints_what_the_page_says() -> io::Result<()> {
    let page = include_str!("../../../../docs/CONNECT.md");
    let blocks = blocks(page);
    assert!(page.lines().count() <= 220);
    assert!(blocks.len() >= page.lines().filter(|line| line.starts_with("## ")).count());

    let mut stage = Stage::new().await?;
    for block in &blocks {
        stage.run(block).await?;
    }

    fs::remove_dir_all(&stage.folder)
}

#[test]
fn a_placeholder_is_any_text_and_nothing_else_is() {
    assert!(matches("… ERROR a … c", "12:00 ERROR a b c") && matches("hello", "hello"));
    for (said, line) in [("hello", "hello!"), ("… a", "b"), ("a…c…", "ab"), ("a…a", "a")] {
        assert!(!matches(said, line), "{said} {line}");
    }
}
