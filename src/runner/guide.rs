//! What an interpreter is sent, behind its job, to tell more than its output.

use super::line::Secret;

const TELL: &str = include_str!(concat!(env!("OUT_DIR"), "/tell.py"));
const DISPLAY: &str = include_str!(concat!(env!("OUT_DIR"), "/display.py"));
const VALUE: &str = include_str!(concat!(env!("OUT_DIR"), "/value.py"));
const CONVERSE: &str = include_str!(concat!(env!("OUT_DIR"), "/converse.py"));

/// Python source, and the secret that is in it.
#[derive(Debug)]
pub struct Guide {
    secret: Secret,
    source: String,
}

impl Guide {
    /// Of one script that shows what it has, as many bytes as may be.
    pub fn script(most: u64, cwd: Option<&str>) -> Self {
        let secret = Secret::random();
        let parts = [&settings(&secret, cwd), &format!("LIMIT = {most}\n"), TELL, DISPLAY, VALUE];
        Self { secret, source: parts.concat() }
    }

    /// Of an interpreter that stays for many runs.
    pub fn interpreter(cwd: Option<&str>) -> Self {
        let secret = Secret::random();
        let display = format!("DISPLAY = {}\n", literal(DISPLAY.as_bytes()));
        let parts = [&settings(&secret, cwd), &display, TELL, CONVERSE];
        Self { secret, source: parts.concat() }
    }

    pub fn secret(&self) -> Secret {
        self.secret
    }

    pub(super) fn source(&self) -> &[u8] {
        self.source.as_bytes()
    }
}

fn settings(secret: &Secret, cwd: Option<&str>) -> String {
    let hex: String = secret.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let cwd = cwd.map_or("None".to_owned(), |cwd| literal(cwd.as_bytes()));
    format!("SECRET, CWD = bytes.fromhex('{hex}'), {cwd}\n")
}

/// As Python writes bytes.
fn literal(bytes: &[u8]) -> String {
    format!("b'{}'", bytes.escape_ascii())
}
