//! Files of a container: what its holder asks, in as many requests to the helper as that takes.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    call::{Call, Reason},
    sandbox::Sandbox,
};
use crate::{
    engine::Engine,
    error::{Code, Error, Result},
    runner::{
        files::{Answer, Excess, Fault, Piece, Request, Told},
        glob::{Folder, Glob, DEPTH},
        job::{Job, Work},
        output::Wanted,
        trailer::Nonce,
    },
};

/// How long it may take, and how its caller ends it.
#[derive(Clone)]
pub struct Bounds {
    /// From now on; `None`: any time.
    pub deadline: Option<Duration>,
    pub cancel: CancellationToken,
}

impl<E: Engine> Sandbox<E> {
    /// Writes pieces of files. One without a further piece is complete then, or as it was before.
    ///
    /// # Errors
    ///
    /// `FileError`, and what [`Sandbox::execute`] gives; past its deadline `ContainerTerminated`, and
    /// the container is ended.
    pub async fn write_files(&self, pieces: Vec<Piece>, bounds: Bounds) -> Result<()> {
        let names: Vec<String> = pieces.iter().map(|piece| piece.path.clone()).collect();
        self.ask(Request::Write(pieces), bounds, |place| names.get(place), "written").await?;
        Ok(())
    }

    /// Takes away what the pieces of a file that is not to be completed have left.
    ///
    /// # Errors
    ///
    /// As [`Sandbox::write_files`].
    pub async fn discard_file(
        &self,
        path: String,
        temporary: String,
        bounds: Bounds,
    ) -> Result<()> {
        let name = path.clone();
        self.ask(Request::Discard { path, temporary }, bounds, |_| Some(&name), "removed").await?;
        Ok(())
    }

    /// What a file holds.
    ///
    /// # Errors
    ///
    /// `FileNotFound`; `FileLimit`: it has more bytes; else as [`Sandbox::write_files`].
    pub async fn read_file(&self, path: String, max_bytes: u64, bounds: Bounds) -> Result<Vec<u8>> {
        let request = Request::Read { paths: vec![path.clone()], max_bytes, lenient: false };
        let told = self.ask(request, bounds, |_| Some(&path), "read").await?;
        match told.into_iter().next() {
            Some(Told::Content(_, data)) => Ok(data),
            _ => Err(self.fault(Fault::Incomplete, None, "read")),
        }
    }

    /// The files that any of the patterns matches, by path.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`: no pattern ([`Glob`]). `FileLimit`: there are more of them, they have more
    /// bytes together, or there is too much to look at; else as [`Sandbox::write_files`].
    pub async fn read_files(
        &self,
        patterns: &[String],
        max_files: usize,
        max_bytes: u64,
        bounds: Bounds,
    ) -> Result<Vec<(String, Vec<u8>)>> {
        let globs: Vec<Glob> =
            patterns.iter().map(|text| Glob::new(text)).collect::<Result<_>>()?;
        let end = bounds.deadline.map(|deadline| Instant::now() + deadline);
        let mut paths: Vec<String> =
            globs.iter().filter_map(Glob::literal).map(String::from).collect();
        let mut folders: Vec<Folder> =
            globs.iter().filter(|glob| glob.literal().is_none()).map(Glob::folder).collect();
        folders.dedup();
        if !folders.is_empty() {
            let names: Vec<String> = folders.iter().map(|folder| folder.path.clone()).collect();
            let request = Request::List(folders);
            let told =
                self.ask(request, bounds.clone(), |place| names.get(place), "listed").await?;
            paths.extend(told.into_iter().filter_map(|told| match told {
                Told::Path(Some(path)) if globs.iter().any(|glob| glob.matches(&path)) => {
                    Some(path)
                }
                _ => None,
            }));
        }
        paths.sort_unstable();
        paths.dedup();
        if paths.len() > max_files {
            let message = format!(
                "{} files match; the most is {max_files}: narrow the pattern, or raise maxFiles.",
                paths.len()
            );
            return Err(Error::new(Code::FileLimit, message).container(self.id()));
        }
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let request = Request::Read { paths: paths.clone(), max_bytes, lenient: true };
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let bounds = Bounds { deadline: left, ..bounds };
        let told = self.ask(request, bounds, |place| paths.get(place), "read").await?;
        let mut files = Vec::with_capacity(told.len());
        for told in told {
            if let Told::Content(place, data) = told {
                // Its place is one of those asked for: `Answer` sees to that.
                files.push((std::mem::take(&mut paths[place]), data));
            }
        }
        Ok(files)
    }

    /// Runs the helper once. `name`: the path at a place of the request; `done`: what was to be done to it.
    async fn ask<'a>(
        &self,
        request: Request,
        bounds: Bounds,
        name: impl Fn(usize) -> Option<&'a String>,
        done: &str,
    ) -> Result<Vec<Told>> {
        let Bounds { deadline, cancel } = bounds;
        let nonce = Nonce::random();
        let answer = Answer::to(&request, &nonce);
        let work = Work::Files(request.encode(&nonce));
        drop(request);
        let call = Call {
            job: Job { work, env: Vec::new() },
            deadline,
            cpu_time: None,
            wanted: Wanted { limit: None, collect: false },
            tap: Some(answer.tap()),
            cancel,
            kill: CancellationToken::new(),
        };
        let outcome = self.execute(call).await?;
        if outcome.reason == Reason::Timeout {
            let message =
                "The files were not done in time, and the container was ended; acquire a new \
                           one, or raise timeout.";
            let error = Error::new(Code::ContainerTerminated, message).container(self.id());
            return Err(error.timeout(deadline.unwrap_or_default()));
        }
        answer.take().map_err(|fault| {
            let path = match &fault {
                Fault::System { place, .. } | Fault::Excess { place, .. } => name(*place),
                // The only one it can be.
                _ => name(0).filter(|_| name(1).is_none()),
            };
            match (fault, outcome.reason) {
                (Fault::Incomplete, Reason::Oom) => {
                    let message =
                        "Files could not be handled: the container's memory ran out. What is \
                                   in a tmpfs counts; raise memory.";
                    Error::new(Code::FileError, message).container(self.id())
                }
                (fault, _) => self.fault(fault, path, done),
            }
        })
    }

    fn fault(&self, fault: Fault, path: Option<&String>, done: &str) -> Error {
        let shown = match path.map(String::as_str) {
            None => "The files".to_owned(),
            Some("") => "The working directory".to_owned(),
            Some(path) => format!("{path:?}"),
        };
        let (code, message, errno) = match fault {
            Fault::System { errno, words, .. } => {
                let code = match errno.as_str() {
                    "ENOENT" => Code::FileNotFound,
                    _ => Code::FileError,
                };
                let message = format!("{shown} could not be {done}: {words}{}.", advice(&errno));
                (code, message, Some(errno))
            }
            Fault::Excess { of, .. } => {
                let message = match of {
                    Excess::Bytes if done != "listed" => {
                        format!("{shown} goes beyond the bytes that may be read; raise maxBytes.")
                    }
                    Excess::Bytes | Excess::Entries => {
                        format!("There are too many files in {shown}; narrow the pattern.")
                    }
                    Excess::Depth => format!(
                        "There are folders more than {DEPTH} deep in {shown}; narrow the pattern."
                    ),
                };
                (Code::FileLimit, message, None)
            }
            Fault::Incomplete => {
                let message = format!(
                    "{shown} could not be {done}: the process that does it was killed in the container."
                );
                (Code::FileError, message, None)
            }
            Fault::Protocol(what) => {
                let message = format!(
                    "{shown} could not be {done}: something in the container writes to the same stream \
                     or reads from it ({what})."
                );
                (Code::FileError, message, None)
            }
        };
        let path = path.filter(|path| !path.is_empty()).cloned();
        Error::new(code, message).container(self.id()).file(path, errno)
    }
}

/// What to do about an error of the system's.
fn advice(errno: &str) -> &'static str {
    match errno {
        "ENOSPC" | "EDQUOT" => "; what it is in is full: raise its size in tmpfs",
        "EFBIG" => "; raise ulimits.fsize",
        "ELOOP" => "; it is a link, and links are not followed",
        "ENOTDIR" => "; a part of its path is no folder, or is a link, and links are not followed",
        "ENXIO" => "; it is no regular file",
        "EISDIR" => "; it is a folder",
        "EROFS" => "; give a tmpfs there, or set readonlyRootfs to false",
        _ => "",
    }
}
