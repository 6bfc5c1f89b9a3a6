//! What a job's interpreter tells beside its output, on a line of its own (`tell.py` defines the messages).
//!
//! The line is the interpreter's alone as far as its own code goes: what others write to it bears no secret, and
//! nothing is heard from then on.

/// What the messages of one interpreter begin with. It is in that interpreter's memory, and nowhere else in the
/// container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; Secret::SIZE]);

impl Secret {
    const SIZE: usize = 16;

    pub fn random() -> Self {
        Self(rand::random())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The secret, the kind, and the length of the payload.
const HEAD: usize = Secret::SIZE + 1 + 4;

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// Something to be shown: a bundle.
    Shown(&'a [u8]),
    /// Something to be shown that is more than is taken.
    TooMuch,
    /// A run has ended, with this exit code.
    Done(u8),
    /// What is no message: nothing more is heard.
    Broken,
}

/// Takes the messages apart, wherever they are cut, and holds one of them at most.
#[derive(Debug)]
pub(super) struct Line {
    secret: Secret,
    /// Of the message that has not come whole.
    bytes: Vec<u8>,
    /// How much is to be passed over.
    skip: usize,
    /// Something came that is no message: nothing more is heard.
    broken: bool,
}

impl Line {
    pub fn new(secret: Secret) -> Self {
        Self { secret, bytes: Vec::new(), skip: 0, broken: false }
    }

    /// Takes as much of `input` as it takes for one more message, with a payload of `most` bytes; gives what is
    /// left.
    pub fn hear<'a>(
        &mut self,
        input: &'a [u8],
        most: usize,
        sink: impl FnOnce(Said<'_>),
    ) -> &'a [u8] {
        if self.broken {
            return &[];
        }
        if self.skip > 0 {
            let skipped = self.skip.min(input.len());
            self.skip -= skipped;
            return &input[skipped..];
        }
        let mut input = self.fill(input, HEAD);
        let Some((head, _)) = self.bytes.split_first_chunk::<HEAD>() else { return input };
        let (secret, [kind, a, b, c, d]) = head.split_at(Secret::SIZE) else { return &[] };
        let size = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        let kind = *kind;
        if secret != self.secret.bytes() || !matches!((kind, size), (b'd', _) | (b'e', 1)) {
            (self.broken, self.bytes) = (true, Vec::new());
            sink(Said::Broken);
            return &[];
        }
        if size > most {
            (self.skip, self.bytes) = (size, Vec::new());
            sink(Said::TooMuch);
            return input;
        }
        input = self.fill(input, HEAD + size);
        match &self.bytes[HEAD..] {
            payload if payload.len() < size => return input,
            payload if kind == b'd' => sink(Said::Shown(payload)),
            payload => sink(Said::Done(payload[0])),
        }
        self.bytes.clear();
        self.bytes.shrink_to(1 << 16);
        input
    }

    fn fill<'a>(&mut self, input: &'a [u8], size: usize) -> &'a [u8] {
        let missing = size.saturating_sub(self.bytes.len()).min(input.len());
        let (taken, rest) = input.split_at(missing);
        self.bytes.extend_from_slice(taken);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: Secret = Secret([7; 16]);

    fn message(secret: Secret, kind: u8, payload: &[u8]) -> Vec<u8> {
        [&secret.0[..], &[kind], &(payload.len() as u32).to_le_bytes(), payload].concat()
    }

    /// What is heard of a stream in pieces of some size, in words.
    fn hear(stream: &[u8], size: usize) -> Vec<String> {
        let mut line = Line::new(SECRET);
        let mut heard = Vec::new();
        for mut piece in stream.chunks(size) {
            while !piece.is_empty() {
                piece = line.hear(piece, 10, |said| {
                    heard.push(match said {
                        Said::Shown(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                        said => format!("{said:?}"),
                    });
                });
            }
        }
        heard
    }

    #[test]
    fn messages_come_whole_wherever_they_are_cut() {
        let stream = [
            message(SECRET, b'd', b"one"),
            message(SECRET, b'd', b"more than is taken"),
            message(SECRET, b'e', &[3]),
            message(SECRET, b'd', b""),
        ];
        let stream = stream.concat();
        for size in [1, 2, 20, 21, 22, 30, stream.len()] {
            assert_eq!(
                hear(&stream, size),
                ["one", "TooMuch", "Done(3)", ""],
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn nothing_is_heard_from_whoever_does_not_know_the_secret_nor_after_it() {
        let own = message(SECRET, b'd', b"own");
        let forged = message(Secret([8; 16]), b'e', &[0]);
        assert_eq!(hear(&[&own[..], &forged, &own].concat(), 5), ["own", "Broken"]);
        assert_eq!(
            hear(&[&own[..], b"printed by mistake\n", &own].concat(), 64),
            ["own", "Broken"]
        );
        assert_eq!(hear(&message(SECRET, b'e', b"long"), 64), ["Broken"]);
    }
}
