//! What a job is, and how it and the boot are written to the supervisor (`supervisor.py` defines the format).

use bytes::Bytes;

use super::{files::HELPER, trailer::Nonce};

/// The longest piece of stdin in one frame; the supervisor holds a frame until it is whole.
const DATA_FRAME: usize = 64 * 1024;

/// How the supervisor is to run a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Python source, by the interpreter that is running already.
    Script { source: Bytes, args: Vec<String> },
    /// A program, started for this job.
    Command(Command),
    /// A request to the helper for files (`files.rs`).
    Files(Bytes),
}

/// A program with its arguments, its working directory (`None`: the container's) and all of its stdin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub argv: Vec<String>,
    pub cwd: Option<String>,
    pub stdin: Bytes,
}

impl Work {
    /// The same work as a program of its own: for a script, a new interpreter that reads it; for files,
    /// one that runs the helper.
    pub fn into_command(self) -> Command {
        match self {
            Self::Script { source, args } => {
                let interpreter = ["python3", "-"].map(String::from);
                let argv = interpreter.into_iter().chain(args).collect();
                Command { argv, cwd: None, stdin: source }
            }
            Self::Command(command) => command,
            Self::Files(request) => {
                let argv = ["python3", "-I", "-S", "-c", HELPER].map(String::from).to_vec();
                Command { argv, cwd: None, stdin: request }
            }
        }
    }
}

/// One piece of work with what it adds to the container's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub work: Work,
    /// Names and values; neither holds a NUL, and no name an `=`.
    pub env: Vec<(String, String)>,
}

impl Job {
    /// All the frames of this job.
    pub(super) fn encode(&self, nonce: &Nonce) -> Vec<u8> {
        let (mode, meta, stdin) = match &self.work {
            Work::Script { source, args } => {
                let meta = Fields::default().list(flat(&self.env)).list(args);
                (b'S', meta, source)
            }
            Work::Command(Command { argv, cwd, stdin }) => {
                let cwd = cwd.as_deref().unwrap_or_default();
                (b'C', Fields::default().list(argv).list(flat(&self.env)).string(cwd), stdin)
            }
            Work::Files(request) => (b'F', Fields::default().raw(HELPER.as_bytes()), request),
        };
        let mut frames = Vec::with_capacity(meta.0.len() + stdin.len() + 64);
        frame(&mut frames, b'J', &[nonce.bytes(), &[mode], &meta.0]);
        for piece in stdin.chunks(DATA_FRAME) {
            frame(&mut frames, b'D', &[piece]);
        }
        frame(&mut frames, b'E', &[]);
        frames
    }
}

/// All that the supervisor reads before its first job: its own source in parts, and the boot frame.
pub(super) fn encode_boot(
    program: &[&str],
    spare: &str,
    preload: &[String],
    idle: &[&str],
    nonce: &Nonce,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in program {
        bytes.extend_from_slice(format!("{:08}", part.len()).as_bytes());
    }
    bytes.extend(program.iter().flat_map(|part| part.bytes()));
    let fields = Fields::default().string(spare).list(preload).list(idle);
    frame(&mut bytes, b'B', &[nonce.bytes(), &fields.0]);
    bytes
}

fn flat(env: &[(String, String)]) -> Vec<&str> {
    env.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect()
}

fn frame(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    out.push(kind);
    length(out, parts.iter().map(|part| part.len()).sum());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Lengths are checked against [`super::MAX_INPUT`] before anything is encoded.
fn length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&(length as u32).to_le_bytes());
}

/// The strings and lists of a payload.
#[derive(Default)]
pub(super) struct Fields(pub(super) Vec<u8>);

impl Fields {
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn number(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub(super) fn long(self, value: u64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub(super) fn string(mut self, value: &str) -> Self {
        length(&mut self.0, value.len());
        self.0.extend_from_slice(value.as_bytes());
        self
    }

    pub(super) fn list<S: AsRef<str>>(mut self, values: impl AsRef<[S]>) -> Self {
        length(&mut self.0, values.as_ref().len());
        values.as_ref().iter().fold(self, |fields, value| fields.string(value.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let size = u32::from_le_bytes(bytes[1..5].try_into().unwrap()) as usize;
            frames.push((bytes[0], bytes[5..5 + size].to_vec()));
            bytes = &bytes[5 + size..];
        }
        frames
    }

    #[test]
    fn a_script_is_a_job_frame_its_source_in_bounded_pieces_and_an_end() {
        let source = Bytes::from(vec![b'#'; DATA_FRAME + 1]);
        let job = Job {
            work: Work::Script { source, args: vec!["x".into()] },
            env: vec![("A".into(), "1".into())],
        };
        let frames = frames(&job.encode(&Nonce::from([7; 16])));
        let kinds: Vec<u8> = frames.iter().map(|frame| frame.0).collect();
        assert_eq!(kinds, b"JDDE");
        let mut expected = vec![7; 16];
        expected.extend_from_slice(b"S\x02\0\0\0\x01\0\0\0A\x01\0\0\x001\x01\0\0\0\x01\0\0\0x");
        assert_eq!(frames[0].1, expected);
        assert_eq!((frames[1].1.len(), frames[2].1.len()), (DATA_FRAME, 1));
    }

    #[test]
    fn boot_begins_with_the_sources_and_before_them_their_lengths_in_eight_digits() {
        let program = ["pass", "x = 1"];
        let bytes = encode_boot(&program, "s", &["numpy".into()], &["json"], &Nonce::from([0; 16]));
        assert!(bytes.starts_with(b"0000000400000005passx = 1B"));
        assert_eq!(frames(&bytes[25..]).len(), 1);
    }
}
