//! What a job is, and how it and the boot are written to the supervisor (`supervisor.py` defines the format).

use bytes::Bytes;

use super::{
    fields::{length, Fields},
    files::HELPER,
    guide::Guide,
    stdin::{Pipe, Stdin},
};

/// The longest piece of stdin in one frame; the supervisor holds a frame until it is whole.
const DATA_FRAME: usize = 64 * 1024;

/// How the supervisor is to run a job.
#[derive(Debug)]
pub enum Work {
    /// Python source, by the interpreter that is running already where its `cwd` is the container's.
    Script { source: Bytes, args: Vec<String>, cwd: Option<String> },
    /// Python source, by the interpreter that is running already, which tells more than its output.
    Telling { guide: Guide, stdin: Stdin, args: Vec<String> },
    /// A program, started for this job.
    Command(Command),
    /// A request to the helper for files (`files.rs`).
    Files(Bytes),
}

/// A program with its arguments, its working directory (`None`: the container's) and its stdin.
#[derive(Debug)]
pub struct Command {
    pub argv: Vec<String>,
    pub cwd: Option<String>,
    pub stdin: Stdin,
}

impl Work {
    /// The same work as a program of its own: for a script, a new interpreter that reads it; for files,
    /// one that runs the helper.
    pub fn into_command(self) -> Command {
        match self {
            Self::Script { source, args, cwd } => {
                let interpreter = ["python3", "-"].map(String::from);
                let argv = interpreter.into_iter().chain(args).collect();
                Command { argv, cwd, stdin: Stdin::Whole(source) }
            }
            // Whoever runs it so has refused what it would tell.
            Self::Telling { stdin, args, .. } => {
                let interpreter = ["python3", "-"].map(String::from);
                Command { argv: interpreter.into_iter().chain(args).collect(), cwd: None, stdin }
            }
            Self::Command(command) => command,
            Self::Files(request) => {
                let argv = ["python3", "-I", "-S", "-c", HELPER].map(String::from).to_vec();
                Command { argv, cwd: None, stdin: Stdin::Whole(request) }
            }
        }
    }
}

/// One piece of work with what it adds to the container's environment.
#[derive(Debug)]
pub struct Job {
    pub work: Work,
    /// Names and values; neither holds a NUL, and no name an `=`.
    pub env: Vec<(String, String)>,
}

impl Job {
    /// The frames of this job: all of them, or those before what its pipe is going to bring. `helper`: what
    /// handles files, where the supervisor has nothing of its own for that.
    pub(super) fn encode(self, helper: &str) -> (Vec<u8>, Option<Pipe>) {
        let (mode, meta, stdin) = match self.work {
            Work::Telling { guide, stdin, args } => {
                let meta = Fields::default().list(flat(&self.env)).list(args);
                (b'T', meta.raw(guide.source()), stdin)
            }
            Work::Script { source, args, .. } => {
                let meta = Fields::default().list(flat(&self.env)).list(args);
                (b'S', meta, Stdin::Whole(source))
            }
            Work::Command(Command { argv, cwd, stdin }) => {
                let mode = if matches!(stdin, Stdin::Whole(_)) { b'C' } else { b'P' };
                let meta = Fields::default().list(argv).list(flat(&self.env));
                (mode, meta.string(cwd.as_deref().unwrap_or_default()), stdin)
            }
            Work::Files(request) => {
                (b'F', Fields::default().raw(helper.as_bytes()), Stdin::Whole(request))
            }
        };
        let size = if let Stdin::Whole(bytes) = &stdin { bytes.len() } else { 0 };
        let mut frames = Vec::with_capacity(meta.0.len() + size + 64);
        frame(&mut frames, b'J', &[&[mode], &meta.0]);
        match stdin {
            Stdin::Whole(bytes) => {
                for piece in bytes.chunks(DATA_FRAME) {
                    frame(&mut frames, b'D', &[piece]);
                }
                frame(&mut frames, b'E', &[]);
                (frames, None)
            }
            Stdin::Piped(pipe) => (frames, Some(pipe)),
        }
    }
}

/// A piece of stdin as frames, none of them longer than the supervisor holds at once.
pub(super) fn data_frames(piece: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    piece.chunks(DATA_FRAME).map(|piece| {
        let mut data = Vec::with_capacity(piece.len() + 5);
        frame(&mut data, b'D', &[piece]);
        data
    })
}

/// The frame that says that stdin is complete.
pub(super) fn end_frame() -> Vec<u8> {
    let mut end = Vec::with_capacity(5);
    frame(&mut end, b'E', &[]);
    end
}

/// The frame that interrupts the job.
pub(super) fn interrupt_frame() -> Vec<u8> {
    let mut interrupt = Vec::with_capacity(5);
    frame(&mut interrupt, b'I', &[]);
    interrupt
}

/// All that the supervisor reads before its first job: its own source in parts, and the boot frame.
pub(super) fn encode_boot(
    program: &[&str],
    spare: &str,
    preload: &[String],
    idle: &[&str],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in program {
        bytes.extend_from_slice(format!("{:08}", part.len()).as_bytes());
    }
    bytes.extend(program.iter().flat_map(|part| part.bytes()));
    let fields = Fields::default().string(spare).list(preload).list(idle);
    frame(&mut bytes, b'B', &[&fields.0]);
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
            work: Work::Script { source, args: vec!["x".into()], cwd: None },
            env: vec![("A".into(), "1".into())],
        };
        let (bytes, pipe) = job.encode("");
        assert!(pipe.is_none());
        let frames = frames(&bytes);
        let kinds: Vec<u8> = frames.iter().map(|frame| frame.0).collect();
        assert_eq!(kinds, b"JDDE");
        assert_eq!(frames[0].1, b"S\x02\0\0\0\x01\0\0\0A\x01\0\0\x001\x01\0\0\0\x01\0\0\0x");
        assert_eq!((frames[1].1.len(), frames[2].1.len()), (DATA_FRAME, 1));
    }

    #[test]
    fn of_a_piped_job_only_the_beginning_is_known() {
        let stdin = Stdin::Piped(crate::runner::stdin::pipe().1);
        let command = Command { argv: vec!["cat".into()], cwd: None, stdin };
        let job = Job { work: Work::Command(command), env: Vec::new() };
        let (bytes, pipe) = job.encode("");
        assert!(pipe.is_some());
        let frames = frames(&bytes);
        assert_eq!((frames.len(), frames[0].0, frames[0].1[0]), (1, b'J', b'P'));
        let sizes: Vec<usize> = data_frames(&[0; DATA_FRAME + 1]).map(|data| data.len()).collect();
        assert_eq!(sizes, [DATA_FRAME + 5, 6]);
        assert_eq!(end_frame(), b"E\0\0\0\0");
    }

    #[test]
    fn boot_begins_with_the_sources_and_before_them_their_lengths_in_eight_digits() {
        let program = ["pass", "x = 1"];
        let bytes = encode_boot(&program, "s", &["numpy".into()], &["json"]);
        assert!(bytes.starts_with(b"0000000400000005passx = 1B"));
        assert_eq!(frames(&bytes[25..]).len(), 1);
    }
}
