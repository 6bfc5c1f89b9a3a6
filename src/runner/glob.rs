//! Patterns that files are collected by, as a shell with `globstar` has them.
//!
//! `*` and `?` stand for characters of one name, `[a-z]` and `[!a-z]` for one of or none of some, `**` as
//! a whole name for any number of folders. A name that begins with a dot is matched only where the
//! pattern has that dot.
//!
//! The names are a script's, so what it takes to match one is bounded by the product of its length and the
//! pattern's, whatever both are.

use std::cell::Cell;

use crate::error::{Code, Error, Result};

/// How deep `**` goes below the folder in front of it.
pub const DEPTH: u32 = 64;

/// One pattern, of names with `/` between them.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    names: Sequence<Name>,
}

/// What stands for one member of a sequence each; a `None` for any number of them.
type Sequence<T> = Vec<Option<T>>;

/// What stands for one name.
#[derive(Debug, Clone)]
struct Name(Sequence<Character>);

/// What stands for one character.
#[derive(Debug, Clone)]
enum Character {
    Any,
    One(char),
    /// From the first to the last of any of these; `but`: anything else.
    Range {
        of: Vec<(char, char)>,
        but: bool,
    },
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
        let mut names = Vec::new();
        for name in text.split('/') {
            names.push(match name {
                "**" => None,
                name => Some(Name::new(name).map_err(wrong)?),
            });
        }
        // A file has a name of its own below any number of folders.
        if names.last().is_some_and(Option::is_none) {
            names.push(Some(Name(vec![None])));
        }
        Ok(Self { text: text.to_owned(), names })
    }

    /// Whether it stands for a path. What that took is added to `steps`.
    pub fn matches(&self, path: &str, steps: &Cell<usize>) -> bool {
        let fits = |name: &Name, given| name.matches(given, steps);
        stands_for(&self.names, path.split('/'), fits, |name| !is_hidden(name), steps)
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

impl Name {
    fn new(text: &str) -> Result<Self, &'static str> {
        if text.contains("**") {
            return Err("** must be a whole name in it");
        }
        let mut characters = Vec::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            characters.push(match character {
                '*' => None,
                '?' => Some(Character::Any),
                '[' => {
                    let (range, after) =
                        Character::range(rest.as_str()).ok_or("a [ in it has no ]")?;
                    rest = after.chars();
                    Some(range)
                }
                '{' | '}' => {
                    return Err("braces have no meaning in it; give an array of patterns, or [{]");
                }
                one => Some(Character::One(one)),
            });
        }
        Ok(Self(characters))
    }

    fn matches(&self, name: &str, steps: &Cell<usize>) -> bool {
        let names_the_dot = matches!(self.0.first(), Some(Some(Character::One('.'))));
        is_hidden(name) == names_the_dot
            && stands_for(&self.0, name.chars(), Character::is, |_| true, steps)
    }
}

impl Character {
    /// Reads what follows a `[`, and gives what follows the `]`, which as the first one is one of them.
    fn range(text: &str) -> Option<(Self, &str)> {
        let (but, text) = match text.strip_prefix('!') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let first = text.chars().next()?.len_utf8();
        let end = first + text[first..].find(']')?;
        let mut rest = text[..end].chars();
        let mut of = Vec::new();
        while let Some(from) = rest.next() {
            let mut ahead = rest.clone();
            let to = match (ahead.next(), ahead.next()) {
                (Some('-'), Some(to)) => {
                    rest = ahead;
                    to
                }
                _ => from,
            };
            of.push((from, to));
        }
        Some((Self::Range { of, but }, &text[end + 1..]))
    }

    fn is(&self, character: char) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => *one == character,
            Self::Range { of, but } => {
                of.iter().any(|&(from, to)| (from..=to).contains(&character)) != *but
            }
        }
    }
}

/// Whether a sequence stands for these members. `fits`: whether an item stands for a member; `spans`:
/// whether a `None` may stand for it, too.
///
/// Only the last `None` that was come to is ever given more: those before it have what follows them at the
/// first place where it fits, and no other place leaves more to those behind. So nothing is tried for
/// every way of parting the members among the `None`s, of which there are as many as a power of their
/// number.
fn stands_for<T, M>(
    items: &[Option<T>],
    mut members: M,
    fits: impl Fn(&T, M::Item) -> bool,
    spans: impl Fn(M::Item) -> bool,
    steps: &Cell<usize>,
) -> bool
where
    M: Clone + Iterator,
    M::Item: Copy,
{
    let mut rest = items;
    let mut last: Option<(&[Option<T>], M)> = None;
    loop {
        steps.set(steps.get() + 1);
        let mut ahead = members.clone();
        match (rest.split_first(), ahead.next()) {
            (None, None) => return true,
            (Some((None, after)), _) => {
                rest = after;
                last = Some((rest, members.clone()));
                continue;
            }
            // With more for the last `None` there would be fewer still.
            (Some((Some(_), _)), None) => return false,
            (Some((Some(item), after)), Some(member)) if fits(item, member) => {
                rest = after;
                members = ahead;
                continue;
            }
            _ => {}
        }
        let Some((after, taken)) = &mut last else { return false };
        if !taken.next().is_some_and(&spans) {
            return false;
        }
        rest = after;
        members = taken.clone();
    }
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

fn is_wild(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn glob(pattern: &str) -> Glob {
        Glob::new(pattern).expect("a pattern")
    }

    fn is_match(pattern: &str, path: &str) -> bool {
        glob(pattern).matches(path, &Cell::default())
    }

    fn matching(pattern: &str) -> Vec<&'static str> {
        let paths = ["a.csv", "b.txt", ".c.csv", "out/d.csv", "out/x/e.csv", "out/.y/f.csv"];
        paths.into_iter().filter(|path| is_match(pattern, path)).collect()
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
        assert!(!is_match("out/**", "out"), "it is the folder itself");
    }

    #[test]
    fn a_range_holds_the_characters_it_names_and_a_hyphen_at_its_end() {
        for (pattern, fits, fails) in [
            ("[]a]", "]a", "[b"),
            ("[!]a]", "[bé", "]a"),
            ("[a-cx-]", "abcx-", "dy"),
            ("[é-ü]", "éü", "eu"),
            ("[[]", "[", "]"),
            ("[{]", "{", "}"),
            ("[?*]", "?*", "a"),
        ] {
            for one in fits.chars() {
                assert!(is_match(pattern, &one.to_string()), "{pattern} {one}");
            }
            for one in fails.chars() {
                assert!(!is_match(pattern, &one.to_string()), "{pattern} {one}");
            }
        }
        assert!(!is_match("[.]a", ".a"), "a dot in front is to be named as itself");
    }

    #[test]
    fn only_the_folders_that_a_pattern_can_mean_are_looked_at() {
        let folder = |pattern| glob(pattern).folder();
        let shallow =
            |path: &str, depth| Folder { path: path.to_owned(), depth, deep: false, hidden: false };
        assert_eq!(folder("*.csv"), shallow("", 1));
        assert_eq!(folder("out/*/b*"), shallow("out", 2));
        assert_eq!(folder("out/x/*"), shallow("out/x", 1));
        assert_eq!(folder("out/**"), Folder { depth: DEPTH, deep: true, ..shallow("out", 1) });
        assert_eq!(folder(".*"), Folder { hidden: true, ..shallow("", 1) });
        assert_eq!(glob("out/a.csv").literal(), Some("out/a.csv"));
    }

    #[test]
    fn what_is_no_pattern_is_an_error_that_says_why() {
        for pattern in ["a**", "[a", "[]", "[!]", "***", "*.{csv,txt}", "a[/]b"] {
            let error = Glob::new(pattern).expect_err(pattern);
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.contains(pattern), "{error}");
        }
    }

    #[test]
    fn no_name_takes_more_steps_than_its_length_times_the_patterns() {
        let name = "_".repeat(255);
        let deep = vec!["_"; 64].join("/");
        for (pattern, path) in [
            ("*_*_*_*_*_*_*_*/out.csv", &format!("{name}/out.cs")),
            ("*_*_*_*_*_*_*_*x", &name),
            ("*?*?*?*?*?*[!_]", &name),
            ("**/*_/**/_*/**/*_/**/_*/**/x", &deep),
        ] {
            let steps = Cell::default();
            assert!(!glob(pattern).matches(path, &steps));
            assert!(steps.get() <= pattern.len() * path.len(), "{pattern}: {} steps", steps.get());
        }
    }

    /// Tries every way there is.
    fn tried<T, M: Copy>(
        items: &[Option<T>],
        members: &[M],
        fits: &impl Fn(&T, M) -> bool,
        spans: &impl Fn(M) -> bool,
    ) -> bool {
        match (items.split_first(), members.split_first()) {
            (None, _) => members.is_empty(),
            (Some((None, after)), first) => {
                tried(after, members, fits, spans)
                    || first.is_some_and(|(&member, rest)| {
                        spans(member) && tried(items, rest, fits, spans)
                    })
            }
            (Some((Some(item), after)), Some((&member, rest))) => {
                fits(item, member) && tried(after, rest, fits, spans)
            }
            (Some(_), None) => false,
        }
    }

    proptest! {
        /// Few distinct characters make near misses and overlaps likely.
        #[test]
        fn the_short_way_comes_to_what_all_ways_come_to(
            pattern in r"(\*\*/|[ab.?*\[\]!-]{1,4}/){0,4}(\*\*|[ab.?*\[\]!-]{1,5})",
            path in r"([ab.]{1,3}/){0,4}[ab.]{1,5}",
        ) {
            let Ok(glob) = Glob::new(&pattern) else { return Ok(()) };
            let names: Vec<&str> = path.split('/').collect();
            let fits = |name: &Name, given: &str| {
                let dot = matches!(name.0.first(), Some(Some(Character::One('.'))));
                let characters: Vec<char> = given.chars().collect();
                is_hidden(given) == dot
                    && tried(&name.0, &characters, &|item, one| item.is(one), &|_| true)
            };
            let all = tried(&glob.names, &names, &fits, &|name| !is_hidden(name));
            prop_assert_eq!(glob.matches(&path, &Cell::default()), all);
        }
    }
}
