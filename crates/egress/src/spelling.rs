//! How texts are written within others: as they are, in URLs, in JSON, in HTML; letter by letter, as no two writers
//! leave the same ones as they are. All leave those of ASCII and digits so.

use smallvec::{smallvec, SmallVec};

/// What is at the beginning of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Nothing,
    /// It may be, with more bytes.
    Begun,
    /// So many bytes.
    Whole(usize),
}

/// The most digits of a letter's number in HTML.
const MOST_DIGITS: usize = 8;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// What stands for a letter; of none is there more.
type Spelling = SmallVec<[u8; 12]>;

/// Whether a text is at the beginning of bytes, each of its letters written in some way.
pub fn find(text: &str, bytes: &[u8]) -> Found {
    // After so many bytes: of some letters, one way to write them begins as another one does.
    let mut ends: SmallVec<[usize; 4]> = smallvec![0];
    let mut begun = false;
    for letter in text.chars() {
        let mut next = SmallVec::new();
        for at in ends {
            for found in written(letter, &bytes[at..]) {
                match found {
                    Found::Nothing => {}
                    Found::Begun => begun = true,
                    Found::Whole(length) if next.contains(&(at + length)) => {}
                    Found::Whole(length) => next.push(at + length),
                }
            }
        }
        ends = next;
        if ends.is_empty() {
            break;
        }
    }
    match ends.iter().max() {
        Some(&length) => Found::Whole(length),
        None if begun => Found::Begun,
        None => Found::Nothing,
    }
}

/// With which two bytes a text may begin.
pub fn beginnings(text: &str) -> Vec<[u8; 2]> {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return Vec::new() };
    let mut all = Vec::new();
    let mut space = [0; 4];
    let plain = first.encode_utf8(&mut space).as_bytes();
    if !first.is_ascii_alphanumeric() {
        let digit = HEX[usize::from(plain[0] >> 4)];
        all.extend([*b"\\u", *b"&#", [b'%', digit], [b'%', digit.to_ascii_uppercase()]]);
        all.extend(escaped(first).map(|short| [b'\\', short]));
        all.extend(named(first).map(|name| [b'&', name.as_bytes()[0]]));
    }
    let one = match plain {
        [own] => *own,
        [one, two, ..] => {
            all.push([*one, *two]);
            return all;
        }
        [] => return all,
    };
    let second = letters.next();
    let seconds = second.iter().flat_map(|letter| {
        let mut space = [0; 4];
        let plain = letter.encode_utf8(&mut space).as_bytes()[0];
        let others = if letter.is_ascii_alphanumeric() { "" } else { "%\\&+" };
        [plain].into_iter().chain(others.bytes())
    });
    for second in seconds {
        all.push([one, second]);
        all.extend((first == ' ').then_some([b'+', second]));
    }
    all
}

/// Each way in which a letter may be at the beginning of bytes.
fn written(letter: char, bytes: &[u8]) -> [Found; 2] {
    let mut space = [0; 4];
    let plain = letter.encode_utf8(&mut space).as_bytes();
    let otherwise = match bytes.first() {
        _ if letter.is_ascii_alphanumeric() => Found::Nothing,
        Some(b'%') => {
            let spelt = plain
                .iter()
                .flat_map(|byte| [b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            compare(bytes, &spelt.collect::<Spelling>())
        }
        Some(b'\\') => in_json(letter, bytes),
        Some(b'&') => in_html(letter, bytes),
        Some(b'+') if letter == ' ' => Found::Whole(1),
        _ => Found::Nothing,
    };
    let as_it_is = match bytes.starts_with(plain) {
        true => Found::Whole(plain.len()),
        false if plain.starts_with(bytes) => Found::Begun,
        false => Found::Nothing,
    };
    [as_it_is, otherwise]
}

fn in_json(letter: char, bytes: &[u8]) -> Found {
    if bytes.get(1) != Some(&b'u') {
        return match escaped(letter) {
            Some(short) => compare(bytes, &[b'\\', short]),
            None if bytes.len() == 1 => Found::Begun,
            None => Found::Nothing,
        };
    }
    let mut space = [0; 2];
    let spelt = letter.encode_utf16(&mut space).iter().flat_map(|unit| {
        let digit = |at: u16| HEX[usize::from(unit >> at & 15)];
        [b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]
    });
    compare(bytes, &spelt.collect::<Spelling>())
}

fn in_html(letter: char, bytes: &[u8]) -> Found {
    let digits = match bytes {
        [_, b'#', b'x' | b'X', rest @ ..] => (rest, 16),
        [_, b'#', rest @ ..] => (rest, 10),
        [_] => return Found::Begun,
        [_, rest @ ..] => {
            return match named(letter).map(|name| compare(rest, name.as_bytes())) {
                Some(Found::Whole(length)) => Found::Whole(1 + length),
                other => other.unwrap_or(Found::Nothing),
            }
        }
        [] => return Found::Begun,
    };
    let (rest, radix) = digits;
    let count = rest.iter().take_while(|digit| char::from(**digit).is_digit(radix)).count();
    match rest.get(count) {
        _ if count > MOST_DIGITS => Found::Nothing,
        None => Found::Begun,
        Some(b';') => {
            let number = rest[..count].iter().try_fold(0_u32, |sum, digit| {
                Some(sum * radix + char::from(*digit).to_digit(radix)?)
            });
            let whole = bytes.len() - rest.len() + count + 1;
            let same = count > 0 && number == Some(letter.into());
            if same {
                Found::Whole(whole)
            } else {
                Found::Nothing
            }
        }
        Some(_) => Found::Nothing,
    }
}

/// What stands for a letter behind a backslash.
fn escaped(letter: char) -> Option<u8> {
    Some(match letter {
        '"' | '\\' | '/' => letter as u8,
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        _ => return None,
    })
}

/// What stands for a letter behind an ampersand.
fn named(letter: char) -> Option<&'static str> {
    Some(match letter {
        '&' => "amp;",
        '<' => "lt;",
        '>' => "gt;",
        '"' => "quot;",
        '\'' => "apos;",
        _ => return None,
    })
}

/// Digits in either case.
fn compare(bytes: &[u8], spelt: &[u8]) -> Found {
    let same = bytes.iter().zip(spelt).all(|(own, other)| own.eq_ignore_ascii_case(other));
    match same {
        false => Found::Nothing,
        true if bytes.len() < spelt.len() => Found::Begun,
        true => Found::Whole(spelt.len()),
    }
}

#[cfg(test)]
pub mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// A letter, in one of its ways.
    fn write(letter: char, way: u8) -> String {
        let mut space = [0; 4];
        let plain = letter.encode_utf8(&mut space).to_owned();
        let mut space = [0; 2];
        let units = letter.encode_utf16(&mut space).iter();
        match (way, letter) {
            _ if letter.is_ascii_alphanumeric() => plain,
            (1, _) => plain.bytes().map(|byte| format!("%{byte:02x}")).collect(),
            (2, _) => plain.bytes().map(|byte| format!("%{byte:02X}")).collect(),
            (3, _) => units.map(|unit| format!("\\u{unit:04x}")).collect(),
            (4, _) => units.map(|unit| format!("\\u{unit:04X}")).collect(),
            (5, _) => format!("&#{};", u32::from(letter)),
            (6, _) => format!("&#x{:X};", u32::from(letter)),
            (7, _) => format!("&#0{};", u32::from(letter)),
            (8, ' ') => "+".to_owned(),
            (8, _) => named(letter).map_or(plain, |name| format!("&{name}")),
            (9, _) => escaped(letter).map_or(plain, |short| format!("\\{}", char::from(short))),
            _ => plain,
        }
    }

    /// A text, and how some writer has it.
    pub fn written() -> impl Strategy<Value = (String, String)> {
        let letter = prop_oneof![8 => "[ -~]", 1 => any::<char>().prop_map(String::from)];
        vec((letter, 0..12_u8), 8..40).prop_map(|letters| {
            let written = letters.iter().map(|(letter, way)| {
                letter.chars().map(|letter| write(letter, *way)).collect::<String>()
            });
            let written = written.collect();
            (letters.iter().map(|(letter, _)| letter.as_str()).collect(), written)
        })
    }

    proptest! {
        #[test]
        fn a_text_is_found_however_its_letters_are_written((text, written) in written()) {
            prop_assert_eq!(find(&text, written.as_bytes()), Found::Whole(written.len()));
            prop_assert_eq!(find(&text, format!("{written}!").as_bytes()), Found::Whole(written.len()));
            let two = [written.as_bytes()[0], written.as_bytes()[1]];
            prop_assert!(beginnings(&text).contains(&two), "{:?}", two);
            for end in 0..written.len() {
                let found = find(&text, &written.as_bytes()[..end]);
                prop_assert!(found != Found::Nothing, "{} {:?}", end, found);
            }
        }
    }

    #[test]
    fn what_is_another_text_is_not_found() {
        for other in [
            "a&b",
            "%61&c",
            "a&amp",
            "a&#38",
            "a%2",
            "a%27;c",
            "a&#39;c",
            "a\\u0027c",
            "a+c",
            "a\\&c",
        ] {
            assert!(!matches!(find("a&c", other.as_bytes()), Found::Whole(_)), "{other}");
        }
        assert_eq!(find("a&c", b"a&#999999999c"), Found::Nothing);
        assert_eq!(find("a&c", b"a&#;c"), Found::Nothing);
    }
}
