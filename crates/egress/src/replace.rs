//! Bytes put in the place of others, in what comes in pieces.

use std::sync::Arc;

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::spelling::{self, Found};

/// Where to look, two bytes at a time.
const PAIRS: usize = 1 << 16;

/// What is looked for.
pub struct Needle {
    pub find: Zeroizing<String>,
    /// Whether it may be written as in a URL, in JSON or in HTML.
    pub spelt: bool,
    /// What takes its place, filled up to the length of one that is spelt; `None`: it stays, and is told of.
    pub put: Option<Zeroizing<Vec<u8>>>,
    /// Whose it is, to whoever is told.
    pub owner: usize,
}

impl Needle {
    /// Whether it is at the beginning of bytes.
    fn at(&self, bytes: &[u8]) -> Found {
        let find = self.find.as_bytes();
        if self.spelt {
            spelling::find(&self.find, bytes)
        } else if bytes.starts_with(find) {
            Found::Whole(find.len())
        } else if find.starts_with(bytes) {
            Found::Begun
        } else {
            Found::Nothing
        }
    }

    fn beginnings(&self) -> Vec<[u8; 2]> {
        match self.find.as_bytes() {
            _ if self.spelt => spelling::beginnings(&self.find),
            [one, two, ..] => vec![[*one, *two]],
            _ => Vec::new(),
        }
    }

    /// Writes what takes the place of bytes in which it was found.
    fn write(&self, found: &[u8], out: &mut Vec<u8>) {
        let Some(put) = &self.put else { return out.extend_from_slice(found) };
        out.extend_from_slice(put);
        if self.spelt {
            out.resize(out.len() + found.len().saturating_sub(put.len()), b'*');
        }
    }
}

/// All that is looked for at once. The first one in what goes by goes first, of several there the longest.
pub struct Needles {
    /// The longest first; none has less than two bytes.
    all: Vec<Needle>,
    /// Of each pair of bytes whether one begins so.
    pairs: Vec<u64>,
    /// The same of each byte.
    firsts: [bool; 256],
}

/// What comes next.
enum Next<'a> {
    Nothing,
    /// From here on, it may be one or not.
    Partial(usize),
    /// From here on, and to there.
    Whole(usize, usize, &'a Needle),
}

impl Needles {
    pub fn new(mut all: Vec<Needle>) -> Self {
        all.retain(|needle| needle.find.len() >= 2);
        all.sort_by_key(|needle| std::cmp::Reverse(needle.find.len()));
        let (mut pairs, mut firsts) = (vec![0; PAIRS / 64], [false; 256]);
        for needle in &all {
            for [first, second] in needle.beginnings() {
                let pair = pair(first, second);
                pairs[pair / 64] |= 1 << (pair % 64);
                firsts[usize::from(first)] = true;
            }
        }
        Self { all, pairs, firsts }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn may_begin(&self, rest: &[u8]) -> bool {
        match rest {
            [first, second, ..] => {
                let pair = pair(*first, *second);
                self.pairs[pair / 64] >> (pair % 64) & 1 == 1
            }
            [first] => self.firsts[usize::from(*first)],
            [] => false,
        }
    }

    /// `last`: nothing follows.
    fn next(&self, bytes: &[u8], from: usize, last: bool) -> Next<'_> {
        for at in from..bytes.len() {
            let rest = &bytes[at..];
            if !self.may_begin(rest) {
                continue;
            }
            for needle in &self.all {
                match needle.at(rest) {
                    Found::Whole(length) => return Next::Whole(at, at + length, needle),
                    // A longer one goes before those that it begins with.
                    Found::Begun if !last => return Next::Partial(at),
                    Found::Begun | Found::Nothing => {}
                }
            }
        }
        Next::Nothing
    }

    /// All of something; `None`: there is nothing to be put into it.
    pub fn whole(&self, bytes: &[u8], mut told: impl FnMut(&Needle)) -> Option<Vec<u8>> {
        let (mut out, mut at, mut changed) = (Vec::new(), 0, false);
        while let Next::Whole(begin, end, needle) = self.next(bytes, at, true) {
            told(needle);
            out.extend_from_slice(&bytes[at..begin]);
            needle.write(&bytes[begin..end], &mut out);
            changed |= needle.put.is_some();
            at = end;
        }
        out.extend_from_slice(&bytes[at..]);
        changed.then_some(out)
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// What goes by in pieces.
pub struct Replacing {
    needles: Arc<Needles>,
    /// The beginning of what may be one of the needles.
    held: Vec<u8>,
}

impl Replacing {
    pub fn new(needles: Arc<Needles>) -> Self {
        Self { needles, held: Vec::new() }
    }

    /// Bytes that have come and are yet to go.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// A piece; gives what can go on.
    pub fn push(&mut self, piece: Bytes, told: impl FnMut(&Needle)) -> Bytes {
        if self.held.is_empty() {
            match self.needles.next(&piece, 0, false) {
                Next::Nothing => return piece,
                Next::Partial(at) => {
                    self.held.extend_from_slice(&piece[at..]);
                    return piece.slice(..at);
                }
                Next::Whole(..) => {}
            }
        }
        self.held.extend_from_slice(&piece);
        self.go(false, told)
    }

    /// What is left at the end.
    pub fn finish(&mut self, told: impl FnMut(&Needle)) -> Bytes {
        self.go(true, told)
    }

    fn go(&mut self, last: bool, mut told: impl FnMut(&Needle)) -> Bytes {
        let (mut out, mut at) = (Vec::with_capacity(self.held.len()), 0);
        let needles = self.needles.clone();
        let end = loop {
            match needles.next(&self.held, at, last) {
                Next::Nothing => break self.held.len(),
                Next::Partial(begin) => break begin,
                Next::Whole(begin, end, needle) => {
                    told(needle);
                    out.extend_from_slice(&self.held[at..begin]);
                    needle.write(&self.held[begin..end], &mut out);
                    at = end;
                }
            }
        };
        out.extend_from_slice(&self.held[at..end]);
        self.held.drain(..end);
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;

    fn needles(pairs: &[(&[u8], Option<&[u8]>)]) -> Arc<Needles> {
        let needle = |(owner, (find, put)): (usize, &(&[u8], Option<&[u8]>))| Needle {
            find: Zeroizing::new(String::from_utf8(find.to_vec()).unwrap()),
            spelt: false,
            put: put.map(|put| Zeroizing::new(put.to_vec())),
            owner,
        };
        Arc::new(Needles::new(pairs.iter().enumerate().map(needle).collect()))
    }

    /// What comes of pieces, and whose were found.
    fn replaced(needles: &Arc<Needles>, pieces: &[&[u8]]) -> (Vec<u8>, Vec<usize>) {
        let mut replacing = Replacing::new(needles.clone());
        let (mut out, mut found) = (Vec::new(), Vec::new());
        for piece in pieces {
            out.extend(
                replacing.push(Bytes::copy_from_slice(piece), |needle| found.push(needle.owner)),
            );
        }
        out.extend(replacing.finish(|needle| found.push(needle.owner)));
        (out, found)
    }

    #[test]
    fn one_is_found_across_the_borders_of_pieces() {
        let needles = needles(&[(b"secret", Some(b"SECRET"))]);
        for at in 0..=12 {
            let (one, other) = b"the secret !".split_at(at);
            assert_eq!(replaced(&needles, &[one, other]), (b"the SECRET !".to_vec(), vec![0]));
        }
    }

    #[test]
    fn what_only_begins_so_goes_on_as_it_is() {
        let needles = needles(&[(b"secret", Some(b"SECRET"))]);
        assert_eq!(replaced(&needles, &[b"sec", b"ond"]).0, b"second");
        assert_eq!(replaced(&needles, &[b"the sec"]).0, b"the sec");
        assert_eq!(replaced(&needles, &[b"sesecret"]).0, b"seSECRET");
    }

    #[test]
    fn nothing_waits_that_can_be_none() {
        let mut replacing = Replacing::new(needles(&[(b"secret", Some(b"SECRET"))]));
        assert_eq!(replacing.push("data: a s".into(), |_| {}), "data: a ");
        assert_eq!(replacing.push("o\n\n".into(), |_| {}), "so\n\n");
        assert_eq!(replacing.held(), 0);
    }

    #[test]
    fn the_longest_goes_first() {
        let needles = needles(&[(b"abc", Some(b"1")), (b"abcdef", Some(b"2"))]);
        assert_eq!(replaced(&needles, &[b"abc", b"def"]), (b"2".to_vec(), vec![1]));
        assert_eq!(replaced(&needles, &[b"abc", b"dex"]), (b"1dex".to_vec(), vec![0]));
    }

    #[test]
    fn what_is_only_told_of_stays() {
        let needles = needles(&[(b"secret", None)]);
        assert_eq!(replaced(&needles, &[b"a sec", b"ret"]), (b"a secret".to_vec(), vec![0]));
        assert_eq!(needles.whole(b"a secret", |_| {}), None);
    }

    /// The same, as simple as can be.
    fn plain(pairs: &[(Vec<u8>, Vec<u8>)], mut text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while let [first, rest @ ..] = text {
            let found = pairs.iter().filter(|(find, _)| text.starts_with(find));
            match found.max_by_key(|(find, _)| find.len()) {
                Some((find, put)) => {
                    out.extend(put);
                    text = &text[find.len()..];
                }
                None => {
                    out.push(*first);
                    text = rest;
                }
            }
        }
        out
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            // Of few letters, so that needles overlap, and begin and end alike.
            mut pairs in vec((vec(b'a'..=b'c', 2..6), vec(b'A'..=b'C', 0..6)), 1..5),
            text in vec(b'a'..=b'd', 0..60),
            cuts in vec(any::<Index>(), 0..8),
        ) {
            pairs.sort();
            pairs.dedup_by(|a, b| a.0 == b.0);
            let all: Vec<_> =
                pairs.iter().map(|(find, put)| (&find[..], Some(&put[..]))).collect();
            let needles = needles(&all);
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            ends.extend([0, text.len()]);
            ends.sort_unstable();
            let pieces: Vec<_> = ends.windows(2).map(|ends| &text[ends[0]..ends[1]]).collect();
            let wanted = plain(&pairs, &text);
            prop_assert_eq!(&replaced(&needles, &pieces).0, &wanted);
            prop_assert_eq!(&needles.whole(&text, |_| {}).unwrap_or(text), &wanted);
        }
    }
}
