//! Files of a container: what its holder asks, in as many requests to the helper as that takes.

use std::{cell::Cell, collections::BTreeSet, future::Future, time::Duration};

use tokio::{task::yield_now, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    call::{reached, Call, Reason},
    ending::Ending,
    sandbox::Sandbox,
};
use crate::{
    error::{excerpt, Code, Error, Result},
    runner::{
        files::{Answer, Excess, Fault, Obstacle, PassedOver, Piece, Request, Taken, Told},
        glob::{Folder, Glob, DEPTH},
        job::{Job, Work},
        output::Wanted,
    },
};

/// How many steps of comparing paths are taken at once: less than a millisecond of them.
const SLICE: usize = 50_000;

/// How long it may take, and how its caller ends it.
#[derive(Clone)]
pub struct Bounds {
    /// From now on; `None`: any time.
    pub deadline: Option<Duration>,
    pub cancel: CancellationToken,
}

/// What there is of the files asked for.
#[derive(Debug, Default)]
pub struct Found {
    /// By path.
    pub files: Vec<(String, Vec<u8>)>,
    /// Why there are not more.
    pub faults: Vec<Error>,
}

/// What an answer has, and how far it goes.
struct Asked {
    told: Vec<Told>,
    passed_over: Vec<PassedOver>,
    end: Result<()>,
}

impl Asked {
    fn whole(self) -> Result<Vec<Told>> {
        self.end.map(|()| self.told)
    }
}

impl Sandbox {
    /// Writes pieces of files. One without a further piece is complete then, or as it was before.
    ///
    /// # Errors
    ///
    /// `FileError`, and what [`Sandbox::execute`] gives; past its deadline `ContainerTerminated`, and
    /// the container is ended.
    pub async fn write_files(&self, pieces: Vec<Piece>, bounds: Bounds) -> Result<()> {
        let names: Vec<String> = pieces.iter().map(|piece| piece.path.clone()).collect();
        let asked = self.ask(Request::Write(pieces), bounds, |place| names.get(place), "written");
        asked.await.end
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
        let asked =
            self.ask(Request::Discard { path, temporary }, bounds, |_| Some(&name), "removed");
        asked.await.end
    }

    /// What a file holds.
    ///
    /// # Errors
    ///
    /// `FileNotFound`; `FileLimit`: it has more bytes; else as [`Sandbox::write_files`].
    pub async fn read_file(&self, path: String, max_bytes: u64, bounds: Bounds) -> Result<Vec<u8>> {
        let request = Request::Read { paths: vec![path.clone()], max_bytes, lenient: false };
        let told = self.ask(request, bounds, |_| Some(&path), "read").await.whole()?;
        match told.into_iter().next() {
            Some(Told::Content(_, data)) => Ok(data),
            _ => Err(self.fault(Fault::Incomplete, None, "read")),
        }
    }

    /// The files that any of the patterns matches. What can't be had of them is among the faults: a
    /// folder or a file that can't be read, files beyond the limits, an end that came before theirs.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`: no pattern ([`Glob`]).
    pub async fn read_files(
        &self,
        patterns: &[String],
        max_files: usize,
        max_bytes: u64,
        bounds: Bounds,
    ) -> Result<Found> {
        let globs: Vec<Glob> =
            patterns.iter().map(|text| Glob::new(text)).collect::<Result<_>>()?;
        let end = bounds.deadline.map(|deadline| Instant::now() + deadline);
        let literals: BTreeSet<String> =
            globs.iter().filter_map(Glob::literal).map(String::from).collect();
        let mut found = Found::default();
        let mut paths = literals.clone();
        let mut folders: Vec<Folder> =
            globs.iter().filter(|glob| glob.literal().is_none()).map(Glob::folder).collect();
        folders.dedup();
        if !folders.is_empty() {
            let names: Vec<String> = folders.iter().map(|folder| folder.path.clone()).collect();
            let request = Request::List(folders);
            let asked = self.ask(request, bounds.clone(), |place| names.get(place), "listed").await;
            let past =
                |past: PassedOver| self.obstacle(past.obstacle, past.path.as_ref(), "listed");
            found.faults.extend(asked.passed_over.into_iter().map(past));
            found.faults.extend(asked.end.err());
            match within(end, &bounds.cancel, choose(&globs, asked.told, &mut paths)).await {
                Ok(()) => {}
                Err(Cut::Cancelled) => {
                    found.faults.push(self.terminated_error());
                    return Ok(found);
                }
                Err(Cut::Overdue) => {
                    self.end(Ending::Asked);
                    found.faults.push(self.overdue(bounds.deadline));
                    return Ok(found);
                }
            }
        }
        if paths.len() > max_files {
            let message = format!(
                "{} files match; the most is {max_files}: narrow the pattern, or raise maxFiles.",
                paths.len()
            );
            found.faults.push(Error::new(Code::FileLimit, message).container(self.id()));
            while paths.len() > max_files {
                paths.pop_last();
            }
        }
        if paths.is_empty() {
            return Ok(found);
        }
        let mut paths: Vec<String> = paths.into_iter().collect();
        let request = Request::Read { paths: paths.clone(), max_bytes, lenient: true };
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let bounds = Bounds { deadline: left, ..bounds };
        let asked = self.ask(request, bounds, |place| paths.get(place), "read").await;
        for PassedOver { place, obstacle, .. } in asked.passed_over {
            let path = paths.get(place);
            // A name that nothing has, or no file, is one that nothing matches.
            let unmatched =
                obstacle.is_no_file() && path.is_some_and(|path| literals.contains(path));
            if !unmatched {
                found.faults.push(self.obstacle(obstacle, path, "read"));
            }
        }
        found.faults.extend(asked.end.err());
        for told in asked.told {
            if let Told::Content(place, data) = told {
                // Its place is one of those asked for: `Answer` sees to that.
                found.files.push((std::mem::take(&mut paths[place]), data));
            }
        }
        Ok(found)
    }

    /// Runs the helper once. `name`: the path at a place of the request; `done`: what was to be done to it.
    async fn ask<'a>(
        &self,
        request: Request,
        bounds: Bounds,
        name: impl Fn(usize) -> Option<&'a String>,
        done: &str,
    ) -> Asked {
        let Bounds { deadline, cancel } = bounds;
        let answer = Answer::to(&request);
        let work = Work::Files(request.encode());
        drop(request);
        let call = Call {
            job: Job { work, env: Vec::new() },
            deadline,
            cpu_time: None,
            wanted: Wanted { limit: None, collect: false, display: None },
            tap: Some(answer.tap()),
            network: None,
            cancel,
            kill: CancellationToken::new(),
        };
        let outcome = self.execute(call).await;
        let Taken { told, passed_over, end } = answer.take();
        let end = match outcome {
            Err(error) => Err(error),
            Ok(outcome) if outcome.reason == Reason::Timeout => Err(self.overdue(deadline)),
            Ok(outcome) => end.map_err(|fault| {
                let path = match &fault {
                    Fault::System { place, .. } | Fault::Excess { place, .. } => name(*place),
                    // The only one it can be.
                    _ => name(0).filter(|_| name(1).is_none()),
                };
                match (fault, outcome.reason) {
                    (Fault::Incomplete, Reason::Oom) => {
                        let message =
                            "Files could not be handled: the container's memory ran out. \
                                       What is in a tmpfs counts; raise memory.";
                        Error::new(Code::FileError, message).container(self.id())
                    }
                    (fault, _) => self.fault(fault, path, done),
                }
            }),
        };
        Asked { told, passed_over, end }
    }

    fn obstacle(&self, obstacle: Obstacle, path: Option<&String>, done: &str) -> Error {
        let place = 0;
        let fault = match obstacle {
            Obstacle::System { errno, words } => Fault::System { place, errno, words },
            Obstacle::Larger => Fault::Excess { place, of: Excess::Bytes },
        };
        self.fault(fault, path, done)
    }

    fn overdue(&self, deadline: Option<Duration>) -> Error {
        let message =
            "The files were not done in time, and the container was ended; acquire a new \
                       one, or raise timeout.";
        let error = Error::new(Code::ContainerTerminated, message).container(self.id());
        error.timeout(deadline.unwrap_or_default())
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
                let message =
                    format!("{shown} could not be {done}: {}{}.", excerpt(&words), advice(&errno));
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
                    Excess::PassedOver => format!(
                        "There is too much that can't be {done} in {shown}; narrow the pattern."
                    ),
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

/// Why some work was not done to its end.
#[derive(Debug, PartialEq, Eq)]
enum Cut {
    Cancelled,
    Overdue,
}

/// Does work, as long as nothing ends it. Only between two steps of it can that be.
async fn within<T>(
    end: Option<Instant>,
    cancel: &CancellationToken,
    work: impl Future<Output = T>,
) -> Result<T, Cut> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Cut::Cancelled),
        () = reached(end) => Err(Cut::Overdue),
        done = work => Ok(done),
    }
}

/// Adds those of the listed paths that a pattern stands for. A script chose how many there are and how long,
/// so others get their turn in between.
async fn choose(globs: &[Glob], told: Vec<Told>, chosen: &mut BTreeSet<String>) {
    let steps = Cell::new(0);
    for told in told {
        let Told::Path(Some(path)) = told else { continue };
        steps.set(steps.get() + path.len());
        if globs.iter().any(|glob| glob.matches(&path, &steps)) {
            chosen.insert(path);
        }
        if steps.get() >= SLICE {
            steps.set(0);
            yield_now().await;
        }
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

#[cfg(test)]
mod tests {
    use tokio::{task::spawn, time::advance};

    use super::*;

    /// Whoever is asked for a turn again and again; gives how many it had.
    async fn neighbour(done: CancellationToken) -> usize {
        let mut turns = 0;
        while !done.is_cancelled() {
            turns += 1;
            yield_now().await;
        }
        turns
    }

    /// A pattern, and names that take long to compare with it: one has a match, the last.
    fn long_work() -> ([Glob; 1], Vec<Told>) {
        let globs = [Glob::new("*_*_*/*.csv").expect("a pattern")];
        let folder = "_".repeat(255);
        let path = |number, kind| Told::Path(Some(format!("{folder}/{number:06}.{kind}")));
        let told = (0..1999).map(|number| path(number, "tx")).chain([path(1999, "csv")]);
        (globs, told.collect())
    }

    #[tokio::test]
    async fn a_caller_that_cancels_need_not_wait_until_all_names_are_compared() {
        let (globs, told) = long_work();
        let (cancel, mut chosen) = (CancellationToken::new(), BTreeSet::new());
        let choosing = within(None, &cancel, choose(&globs, told, &mut chosen));
        let (cut, ()) = tokio::join!(choosing, async { cancel.cancel() });
        assert_eq!((cut, chosen.len()), (Err(Cut::Cancelled), 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_kept_while_names_are_compared() {
        let (globs, told) = long_work();
        let (end, mut chosen) = (Instant::now() + Duration::from_secs(1), BTreeSet::new());
        let cancel = CancellationToken::new();
        let choosing = within(Some(end), &cancel, choose(&globs, told, &mut chosen));
        let (cut, ()) = tokio::join!(choosing, advance(Duration::from_secs(1)));
        assert_eq!((cut, chosen.len()), (Err(Cut::Overdue), 0));
    }

    #[tokio::test]
    async fn comparing_a_scripts_names_leaves_others_their_turns() {
        let (globs, told) = long_work();
        let done = CancellationToken::new();
        let turns = spawn(neighbour(done.clone()));
        let mut chosen = BTreeSet::new();
        choose(&globs, told, &mut chosen).await;
        done.cancel();
        assert_eq!(chosen.len(), 1);
        let turns = turns.await.expect("it ends");
        assert!(turns >= 2000 * 255 / SLICE, "{turns}");
    }

    #[tokio::test]
    async fn a_path_that_several_patterns_stand_for_is_chosen_once() {
        let globs = ["a*", "*b"].map(|text| Glob::new(text).expect("a pattern"));
        let told = ["ab", "b", "c", "ab"].map(|path| Told::Path(Some(path.to_owned())));
        let mut chosen = BTreeSet::from(["z".to_owned()]);
        choose(&globs, told.into(), &mut chosen).await;
        assert_eq!(chosen.into_iter().collect::<Vec<_>>(), ["ab", "b", "z"]);
    }
}
