//! Patterns that files are collected by, as a shell with `globstar` has them.
//!
//! `*` and `?` stand for characters of one name, `[a-z]` and `[!a-z]` for one of or none of some, `**` as
//! a whole name for any number of folders. A name that begins with a dot is matched only where the
//! pattern has that dot.

use glob::{MatchOptions, Pattern};

use crate::error::{Code, Error, Result};

/// How deep `**` goes below the folder in front of it.
pub const DEPTH: u32 = 64;

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// One pattern, of names with `/` between them.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    pattern: Pattern,
}

/// Where the files that a pattern matches can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// `""`: the working directory.
    pub path: String,
    /// How many levels of it, 1 or more.
    pub depth: u32,
    /// Whether there is no end to its levels, so that `depth` is a limit.
    pub deep: bool,
    /// Whether names that begin with a dot count.
    pub hidden: bool,
}

impl Glob {
    /// # Errors
    ///
    /// `InvalidArgument`: no such pattern is possible.
    pub fn new(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(Code::InvalidArgument, format!("{text:?} is no pattern for files: {why}"))
        };
        if text.contains(['{', '}']) {
            return Err(wrong("braces have no meaning in it; give an array of patterns, or [{]"));
        }
        let pattern = Pattern::new(text)
            .map_err(|error| wrong(&format!("{} at {}", error.msg, error.pos)))?;
        Ok(Self { text: text.to_owned(), pattern })
    }

    pub fn matches(&self, path: &str) -> bool {
        self.pattern.matches_with(path, OPTIONS)
    }

    /// The one path it stands for, if nothing in it is a wildcard.
    pub fn literal(&self) -> Option<&str> {
        (!is_wild(&self.text)).then_some(&self.text)
    }

    pub fn folder(&self) -> Folder {
        let names: Vec<&str> = self.text.split('/').collect();
        // The last name is of the file, wild or not.
        let fixed = names[..names.len() - 1].iter().take_while(|name| !is_wild(name)).count();
        let rest = &names[fixed..];
        let deep = rest.contains(&"**");
        Folder {
            path: names[..fixed].join("/"),
            depth: if deep { DEPTH } else { rest.len() as u32 },
            deep,
            hidden: rest.iter().any(|name| name.starts_with(['.', '['])),
        }
    }
}

fn is_wild(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(pattern: &str) -> Vec<&'static str> {
        let paths = ["a.csv", "b.txt", ".c.csv", "out/d.csv", "out/x/e.csv", "out/.y/f.csv"];
        let glob = Glob::new(pattern).expect("a pattern");
        paths.into_iter().filter(|path| glob.matches(path)).collect()
    }

    #[test]
    fn a_pattern_matches_as_in_a_shell() {
        assert_eq!(matching("*.csv"), ["a.csv"]);
        assert_eq!(matching("?.[a-d]*"), ["a.csv"]);
        assert_eq!(matching("[!a].txt"), ["b.txt"]);
        assert_eq!(matching(".*.csv"), [".c.csv"]);
        assert_eq!(matching("out/*"), ["out/d.csv"]);
        assert_eq!(matching("**/*.csv"), ["a.csv", "out/d.csv", "out/x/e.csv"]);
        assert_eq!(matching("out/**"), ["out/d.csv", "out/x/e.csv"]);
        assert_eq!(matching("out/**/e.csv"), ["out/x/e.csv"]);
        assert_eq!(matching("out/.*/*"), ["out/.y/f.csv"]);
    }

    #[test]
    fn only_the_folders_that_a_pattern_can_mean_are_looked_at() {
        let folder = |pattern| Glob::new(pattern).expect("a pattern").folder();
        let shallow =
            |path: &str, depth| Folder { path: path.to_owned(), depth, deep: false, hidden: false };
        assert_eq!(folder("*.csv"), shallow("", 1));
        assert_eq!(folder("out/*/b*"), shallow("out", 2));
        assert_eq!(folder("out/x/*"), shallow("out/x", 1));
        assert_eq!(folder("out/**"), Folder { depth: DEPTH, deep: true, ..shallow("out", 1) });
        assert_eq!(folder(".*"), Folder { hidden: true, ..shallow("", 1) });
        assert_eq!(Glob::new("out/a.csv").expect("a pattern").literal(), Some("out/a.csv"));
    }

    #[test]
    fn what_is_no_pattern_is_an_error_that_says_why() {
        for pattern in ["a**", "[a", "***", "*.{csv,txt}"] {
            let error = Glob::new(pattern).expect_err(pattern);
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.contains(pattern), "{error}");
        }
    }
}
