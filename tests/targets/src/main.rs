//! Turns plans into the fuzzer's bytes, and bytes into plans.

use std::error::Error;
use std::io::{self, Write as _};
use std::path::Path;
use std::{env, fs};

use gateway_targets::{TARGETS, Target, corpus};

/// How many inputs are drawn for each corpus.
const DRAWN: usize = 1_000;

const USAGE: &str = "
gateway-targets text TARGET FILE    prints the plan of a file of fuzzer bytes
gateway-targets bytes TARGET PLAN   prints the bytes of a plan
gateway-targets corpus FOLDER       writes a corpus for each target: the bytes of every plan, and inputs drawn from them";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let known = |name| Target::of(name).ok_or_else(|| format!("no target {name}"));
    match words[..] {
        ["text", target, file] => {
            let text = known(target)?.text(&fs::read(file)?)?;
            io::stdout().write_all(format!("{text}\n").as_bytes())?;
        }
        ["bytes", target, plan] => {
            let bytes = known(target)?.bytes(&fs::read_to_string(plan)?)?;
            io::stdout().write_all(&bytes)?;
        }
        ["corpus", folder] => {
            for target in TARGETS {
                let folder = Path::new(folder).join(target.name);
                fs::create_dir_all(&folder)?;
                for (name, bytes) in corpus(target, DRAWN)? {
                    fs::write(folder.join(name), bytes)?;
                }
            }
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}
