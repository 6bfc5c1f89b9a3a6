//! Files in a container: what its helper (`files.py`, which defines the format) is asked, and what it
//! answers.
//!
//! Beside a running job the helper is a process of the engine's exec, which whatever the scripts have left
//! running can reach into. So an answer is what it must be in every frame, and holds no more than was asked
//! for, whatever comes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{fields::Fields, glob::Folder, output::Tap};
use crate::engine::Stream;

/// The helper's source. It goes with every request: what is sent on demand costs no start of a container.
pub const HELPER: &str = include_str!(concat!(env!("OUT_DIR"), "/files.py"));

/// The most that is looked at in the folders of one request, and the most bytes their paths may have.
const LIST_ENTRIES: u32 = 100_000;
const LIST_BYTES: u32 = 16 << 20;

/// As many as `files.py` tells of.
const MOST_PASSED_OVER: usize = 1000;

/// The kind and the length of a frame.
const HEAD: usize = 1 + 2;
const MORE_PIECES: u32 = u32::MAX;

/// A part of a file that is written.
#[derive(Debug, Clone)]
pub struct Piece {
    pub path: String,
    /// A name in the same folder, for as long as pieces are to come.
    pub temporary: String,
    pub offset: u64,
    pub data: Bytes,
    /// The permissions of the complete file; `None`: this is not its last piece.
    pub mode: Option<u32>,
}

/// What the helper is to do.
#[derive(Debug, Clone)]
pub enum Request {
    Write(Vec<Piece>),
    /// Takes away what the pieces of a file have left.
    Discard {
        path: String,
        temporary: String,
    },
    List(Vec<Folder>),
    /// `lenient`: what can't be read is passed over.
    Read {
        paths: Vec<String>,
        max_bytes: u64,
        lenient: bool,
    },
}

impl Request {
    /// The helper's stdin.
    pub fn encode(&self) -> Bytes {
        let fields = Fields::default();
        let fields = match self {
            Self::Write(pieces) => {
                let fields = fields.raw(b"W").number(pieces.len() as u32);
                pieces.iter().fold(fields, |fields, piece| {
                    fields
                        .string(&piece.path)
                        .string(&piece.temporary)
                        .long(piece.offset)
                        .long(piece.data.len() as u64)
                        .number(piece.mode.unwrap_or(MORE_PIECES))
                        .raw(&piece.data)
                })
            }
            Self::Discard { path, temporary } => fields.raw(b"X").string(path).string(temporary),
            Self::List(folders) => {
                let fields = fields.raw(b"L").number(LIST_ENTRIES).number(LIST_BYTES);
                folders.iter().fold(fields.number(folders.len() as u32), |fields, folder| {
                    let flags = u8::from(folder.hidden) | u8::from(folder.deep) << 1;
                    fields.string(&folder.path).number(folder.depth).raw(&[flags])
                })
            }
            Self::Read { paths, max_bytes, lenient } => {
                fields.raw(b"R").long(*max_bytes).raw(&[u8::from(*lenient)]).list(paths)
            }
        };
        Bytes::from(fields.0)
    }

    /// The most bytes and the most files that a true answer has.
    fn bounds(&self) -> (u64, usize) {
        match self {
            Self::Write(_) | Self::Discard { .. } => (0, 0),
            Self::List(_) => (LIST_BYTES.into(), LIST_ENTRIES as usize),
            Self::Read { paths, max_bytes, .. } => (*max_bytes, paths.len()),
        }
    }
}

/// A file that an answer tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Listed: its path, if that is text.
    Path(Option<String>),
    /// Read: its place in the request, and what it holds.
    Content(usize, Vec<u8>),
}

/// Why a helper went past something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The system refused: its error by name and in words.
    System { errno: String, words: String },
    /// A file of more bytes than were left of those allowed.
    Larger,
}

impl Obstacle {
    /// Whether there is no regular file of that name, and so nothing to read.
    pub fn is_no_file(&self) -> bool {
        let Self::System { errno, .. } = self else { return false };
        matches!(errno.as_str(), "ENOENT" | "ENOTDIR" | "ELOOP" | "EISDIR" | "ENXIO")
    }
}

/// What a helper went past. `path`: of something it met in a folder; else it is one of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    pub place: usize,
    pub path: Option<String>,
    pub obstacle: Obstacle,
}

/// What a request has come to.
#[derive(Debug)]
pub struct Taken {
    /// Whole files, also where the end is a fault.
    pub told: Vec<Told>,
    pub passed_over: Vec<PassedOver>,
    pub end: Result<(), Fault>,
}

impl Taken {
    /// # Errors
    ///
    /// See [`Fault`].
    pub fn whole(self) -> Result<Vec<Told>, Fault> {
        self.end.map(|()| self.told)
    }
}

/// Of what there was more than a request allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    Bytes,
    Entries,
    Depth,
    PassedOver,
}

/// Why a request has no good answer. `place`: which of the paths or folders of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The system refused: its error by name and in words.
    System {
        place: usize,
        errno: String,
        words: String,
    },
    Excess {
        place: usize,
        of: Excess,
    },
    /// The helper came to its end without a whole answer.
    Incomplete,
    /// What came can't be a helper's.
    Protocol(&'static str),
}

/// Takes an answer out of a job's output, as it comes.
#[derive(Clone)]
pub struct Answer(Arc<Mutex<Reading>>);

impl Answer {
    pub fn to(request: &Request) -> Self {
        let (room, most) = request.bounds();
        Self(Arc::new(Mutex::new(Reading {
            buffer: Vec::new(),
            room,
            most,
            listing: matches!(request, Request::List(_)),
            told: Vec::new(),
            passed_over: Vec::new(),
            open: false,
            end: None,
        })))
    }

    /// Where the job's output is to go.
    pub fn tap(&self) -> Tap {
        let answer = self.clone();
        Tap::new(true, move |chunk| {
            if chunk.stream == Stream::Stdout {
                answer.lock().feed(&chunk.bytes);
            }
        })
    }

    /// What was answered until now; the whole of it, once the job has ended.
    pub fn take(&self) -> Taken {
        let mut reading = self.lock();
        let mut told = std::mem::take(&mut reading.told);
        if reading.open {
            told.pop();
        }
        let passed_over = std::mem::take(&mut reading.passed_over);
        Taken { told, passed_over, end: reading.end.clone().unwrap_or(Err(Fault::Incomplete)) }
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Reading {
    /// The beginning of a frame.
    buffer: Vec<u8>,
    /// Bytes that may still come.
    room: u64,
    /// Files that there may be.
    most: usize,
    listing: bool,
    told: Vec<Told>,
    passed_over: Vec<PassedOver>,
    /// Whether the last file is not complete.
    open: bool,
    end: Option<Result<(), Fault>>,
}

impl Reading {
    fn feed(&mut self, bytes: &[u8]) {
        if self.end.is_some() {
            return;
        }
        let mut input = std::mem::take(&mut self.buffer);
        input.extend_from_slice(bytes);
        let mut rest = &input[..];
        while self.end.is_none() {
            let Some(&[kind, low, high]) = rest.get(..HEAD) else { break };
            let size = usize::from(u16::from_le_bytes([low, high]));
            let Some(payload) = rest.get(HEAD..HEAD + size) else { break };
            if let Err(fault) = self.take(kind, payload) {
                self.end = Some(Err(fault));
            }
            rest = &rest[HEAD + size..];
        }
        if self.end.is_none() {
            self.buffer = rest.to_vec();
        }
    }

    fn take(&mut self, kind: u8, payload: &[u8]) -> Result<(), Fault> {
        let wrong = Err(Fault::Protocol("a frame that the request can't have"));
        let told = self.told.len();
        match (kind, self.told.last_mut()) {
            (b'P', _) if self.open || told == self.most => wrong,
            (b'P', _) if self.listing => {
                self.spend(payload.len())?;
                let path = std::str::from_utf8(payload).ok().filter(|path| is_inside(path));
                self.told.push(Told::Path(path.map(String::from)));
                Ok(())
            }
            (b'P', last) => {
                let Some(place) = number(payload) else { return wrong };
                let follows = match last {
                    Some(Told::Content(before, _)) => place > *before,
                    _ => true,
                };
                if !follows || place >= self.most {
                    return wrong;
                }
                self.told.push(Told::Content(place, Vec::new()));
                self.open = true;
                Ok(())
            }
            (b'D', Some(Told::Content(_, data))) if self.open => {
                if payload.len() as u64 > self.room {
                    return Err(Fault::Protocol("more data than it was asked for"));
                }
                data.extend_from_slice(payload);
                self.spend(payload.len())
            }
            (b'Z', Some(Told::Content(_, data))) if self.open => {
                self.open = false;
                if payload == (data.len() as u64).to_le_bytes() {
                    Ok(())
                } else {
                    Err(Fault::Protocol("a part of a file is missing"))
                }
            }
            (b'K', _) if !self.open => {
                let whole = self.most == 0 || number(payload) == Some(told);
                if !whole {
                    return Err(Fault::Protocol("a file is missing"));
                }
                self.end = Some(Ok(()));
                Ok(())
            }
            (b'U' | b'B', _) if self.open || self.passed_over.len() == MOST_PASSED_OVER => wrong,
            (b'U', _) => {
                let text = String::from_utf8_lossy(payload.get(4..).unwrap_or_default());
                let mut parts = text.splitn(3, '\0').map(str::to_owned);
                let (Some(place), Some(errno), Some(words)) =
                    (number(payload), parts.next(), parts.next())
                else {
                    return wrong;
                };
                let obstacle = Obstacle::System { errno, words };
                self.passed_over.push(PassedOver { place, path: parts.next(), obstacle });
                Ok(())
            }
            (b'B', _) => {
                let Some(place) = number(payload) else { return wrong };
                let obstacle = Obstacle::Larger;
                self.passed_over.push(PassedOver { place, path: None, obstacle });
                Ok(())
            }
            (b'E', _) => {
                let words = payload.get(4..).and_then(|words| std::str::from_utf8(words).ok());
                match (number(payload), words.and_then(|words| words.split_once('\0'))) {
                    (Some(place), Some((errno, words))) => Err(Fault::System {
                        place,
                        errno: errno.to_owned(),
                        words: words.to_owned(),
                    }),
                    _ => wrong,
                }
            }
            (b'M', _) => {
                let of = match payload.get(4) {
                    Some(b'b') => Excess::Bytes,
                    Some(b'n') => Excess::Entries,
                    Some(b'd') => Excess::Depth,
                    Some(b'u') => Excess::PassedOver,
                    _ => return wrong,
                };
                number(payload).map_or(wrong, |place| Err(Fault::Excess { place, of }))
            }
            _ => wrong,
        }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        let left = self.room.checked_sub(bytes as u64);
        self.room = left.ok_or(Fault::Protocol("more paths than it was asked for"))?;
        Ok(())
    }
}

fn number(payload: &[u8]) -> Option<usize> {
    let bytes = payload.get(..4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

/// Whether a path stays below the folder it is relative to: a caller may write to a file of that name.
fn is_inside(path: &str) -> bool {
    path.split('/').all(|name| !matches!(name, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        [&[kind][..], &(payload.len() as u16).to_le_bytes(), payload].concat()
    }

    fn read(max_bytes: u64, count: usize) -> Request {
        Request::Read { paths: vec![String::new(); count], max_bytes, lenient: true }
    }

    fn answer(request: &Request, stream: &[u8], cuts: &[usize]) -> Result<Vec<Told>, Fault> {
        let answer = Answer::to(request);
        let mut start = 0;
        for &cut in cuts.iter().chain([&stream.len()]) {
            let cut = cut.clamp(start, stream.len());
            answer.lock().feed(&stream[start..cut]);
            start = cut;
        }
        answer.take().whole()
    }

    fn one_file(data: &[u8]) -> Vec<u8> {
        [
            frame(b'P', &1u32.to_le_bytes()),
            frame(b'D', data),
            frame(b'Z', &(data.len() as u64).to_le_bytes()),
            frame(b'K', &1u32.to_le_bytes()),
        ]
        .concat()
    }

    #[test]
    fn more_than_was_asked_for_is_not_kept() {
        let wrong = |request: &Request, stream: &[u8]| {
            assert!(matches!(answer(request, stream, &[]), Err(Fault::Protocol(_))));
        };
        wrong(&read(3, 2), &one_file(b"data"));
        wrong(&read(4, 1), &one_file(b"data"));
        wrong(&Request::Write(Vec::new()), &one_file(b"data"));
    }

    #[test]
    fn an_answer_of_which_a_part_was_lost_is_no_answer() {
        let whole = one_file(b"data");
        let data = frame(b'D', b"data").len();
        let first = frame(b'P', &[0; 4]).len();
        let without_data = [&whole[..first], &whole[first + data..]].concat();
        let lost = Err(Fault::Protocol("a part of a file is missing"));
        assert_eq!(answer(&read(4, 2), &without_data, &[]), lost);
        let cut = &whole[..whole.len() - 1];
        assert_eq!(answer(&read(4, 2), cut, &[]), Err(Fault::Incomplete));
        let none = frame(b'K', &1u32.to_le_bytes());
        let lost = Err(Fault::Protocol("a file is missing"));
        assert_eq!(answer(&read(4, 2), &none, &[]), lost);
    }

    #[test]
    fn a_listed_path_that_leads_out_or_is_no_text_has_no_name() {
        let paths: [&[u8]; 5] = [b"a/b", b"../a", b"/a", b"a//b", b"\xff"];
        let mut stream: Vec<u8> = paths.iter().flat_map(|path| frame(b'P', path)).collect();
        stream.extend(frame(b'K', &5u32.to_le_bytes()));
        let told = answer(&Request::List(Vec::new()), &stream, &[]).expect("an answer");
        let mut expected = vec![Told::Path(None); 5];
        expected[0] = Told::Path(Some("a/b".to_owned()));
        assert_eq!(told, expected);
    }

    #[test]
    fn a_failure_tells_its_place_and_the_systems_words() {
        let stream = frame(b'E', b"\x02\0\0\0ENOSPC\0No space left on device");
        let (errno, words) = ("ENOSPC".to_owned(), "No space left on device".to_owned());
        let fault = Fault::System { place: 2, errno, words };
        assert_eq!(answer(&Request::Write(Vec::new()), &stream, &[]), Err(fault));
        let stream = frame(b'M', b"\x01\0\0\0b");
        let fault = Fault::Excess { place: 1, of: Excess::Bytes };
        assert_eq!(answer(&read(1, 2), &stream, &[]), Err(fault));
    }

    #[test]
    fn what_is_passed_over_is_told_with_its_place_and_path() {
        let (errno, words) = ("EACCES".to_owned(), "Permission denied".to_owned());
        let request = read(8, 4);
        let answer = Answer::to(&request);
        answer.lock().feed(&frame(b'U', b"\x00\0\0\0EACCES\0Permission denied"));
        answer.lock().feed(&frame(b'B', b"\x02\0\0\0"));
        answer.lock().feed(&frame(b'U', b"\x03\0\0\0EACCES\0Permission denied\0d/e"));
        let system = Obstacle::System { errno, words };
        let expected = [
            PassedOver { place: 0, path: None, obstacle: system.clone() },
            PassedOver { place: 2, path: None, obstacle: Obstacle::Larger },
            PassedOver { place: 3, path: Some("d/e".to_owned()), obstacle: system },
        ];
        assert_eq!(answer.take().passed_over, expected);
    }

    #[test]
    fn of_an_answer_that_broke_off_the_whole_files_are_there() {
        let whole = one_file(b"data");
        let stream = [&whole[..whole.len() - frame(b'K', &[0; 4]).len()]].concat();
        let answer = Answer::to(&read(8, 4));
        answer
            .lock()
            .feed(&[stream, frame(b'P', &2u32.to_le_bytes()), frame(b'D', b"da")].concat());
        let Taken { told, end, .. } = answer.take();
        assert_eq!(told, [Told::Content(1, b"data".to_vec())]);
        assert_eq!(end, Err(Fault::Incomplete));
    }

    proptest! {
        #[test]
        fn the_split_of_the_stream_does_not_matter(
            data in proptest::collection::vec(any::<u8>(), 0..60),
            mut cuts in proptest::collection::vec(0usize..200, 0..12),
        ) {
            cuts.sort_unstable();
            let stream = one_file(&data);
            let told = vec![Told::Content(1, data)];
            prop_assert_eq!(answer(&read(100, 2), &stream, &cuts), Ok(told));
        }

        #[test]
        fn no_payload_makes_it_panic(
            frames in proptest::collection::vec(
                (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..12)), 0..8),
        ) {
            let stream: Vec<u8> = frames.iter().flat_map(|(kind, data)| frame(*kind, data)).collect();
            let _ = answer(&read(8, 3), &stream, &[]);
            let _ = answer(&Request::List(Vec::new()), &stream, &[]);
        }
    }
}
