//! What the cluster has told of the pods of this process.

use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Mutex, MutexGuard, PoisonError, Weak,
    },
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::objects::{Condition, Pod, Words};
use crate::{
    engine::{Told, Vitals},
    error::{Code, Error},
};

/// How a pod stands on its way to a container that runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Stage {
    /// Nothing is known, or nothing to tell.
    #[default]
    Coming,
    /// No node takes it for now; in the scheduler's words.
    Unschedulable(String),
    /// Its container will not start; why.
    Stuck(Trouble),
    /// A node has it.
    Starting,
    Running,
    /// It has ended, or is gone; why, in words.
    Ended(String),
}

/// Why a container does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    NoImage(String),
    Pull(String),
    /// The image has no such program as process 1 is.
    NoProgram(String),
    Other(String),
}

/// All that is known of the pods of this process, by name.
#[derive(Default)]
pub(super) struct Roster {
    pods: Mutex<HashMap<String, Entry>>,
}

struct Entry {
    uid: Option<String>,
    stage: watch::Sender<Stage>,
    told: watch::Sender<Told>,
    /// Closes its streams.
    streams: CancellationToken,
    used: Arc<AtomicBool>,
}

/// A pod that is on the roster while this lives.
pub(super) struct Listed {
    roster: Weak<Roster>,
    pub name: String,
    pub stage: watch::Receiver<Stage>,
    told: watch::Receiver<Told>,
    pub streams: CancellationToken,
    /// Something else than its supervisor has been run in it.
    pub used: Arc<AtomicBool>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.streams.cancel();
        if let Some(roster) = self.roster.upgrade() {
            roster.lock().remove(&self.name);
        }
    }
}

impl Listed {
    /// What is told of it; it stays on the roster as long as somebody listens.
    pub fn vitals(self) -> Vitals {
        Vitals::new(self.told.clone(), self)
    }
}

impl Roster {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before the pod is made: whatever is told of it is heard.
    pub fn enter(self: &Arc<Self>, name: &str) -> Listed {
        let (stage, seen) = watch::channel(Stage::default());
        let (told, vitals) = watch::channel(Told::default());
        let streams = CancellationToken::new();
        let used = Arc::<AtomicBool>::default();
        let entry = Entry { uid: None, stage, told, streams: streams.clone(), used: used.clone() };
        self.lock().insert(name.to_owned(), entry);
        Listed {
            roster: Arc::downgrade(self),
            name: name.to_owned(),
            stage: seen,
            told: vitals,
            streams,
            used,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// It has been made.
    pub fn made(&self, name: &str, uid: &str) {
        if let Some(entry) = self.lock().get_mut(name) {
            entry.uid = Some(uid.to_owned());
        }
    }

    /// Closes its streams, which ends its processes; gives its uid, if it is known.
    pub fn close(&self, name: &str) -> Option<String> {
        let pods = self.lock();
        let entry = pods.get(name)?;
        entry.streams.cancel();
        entry.uid.clone()
    }

    /// Something is about to be run in it; gives what closes its streams.
    pub fn run_in(&self, name: &str) -> Option<CancellationToken> {
        let pods = self.lock();
        let entry = pods.get(name)?;
        entry.used.store(true, Ordering::Release);
        Some(entry.streams.clone())
    }

    /// As it stands now.
    pub fn tell(&self, pod: &Pod) {
        let pods = self.lock();
        let Some(entry) = pods.get(&pod.metadata.name) else { return };
        let stage = stage_of(pod);
        let is_over = matches!(stage, Stage::Ended(_));
        if was_killed_for_memory(pod) {
            entry.told.send_if_modified(|told| {
                let is_news = told.oom_kills == 0;
                told.oom_kills = 1;
                is_news
            });
        }
        if is_over {
            entry.end();
        }
        entry.stage.send_replace(stage);
    }

    /// It has been deleted by this process: nothing more is to be heard of it.
    pub fn forget(&self, name: &str) {
        self.gone(name);
        self.lock().remove(name);
    }

    pub fn gone(&self, name: &str) {
        if let Some(entry) = self.lock().get(name) {
            entry.end();
            entry.stage.send_replace(Stage::Ended("it has been deleted".to_owned()));
        }
    }

    /// A list of all there are: one that had been `made` before it, and is not on it, is gone.
    pub fn tell_all(&self, pods: &[Pod], made: &[String]) {
        for pod in pods {
            self.tell(pod);
        }
        for name in made {
            if !pods.iter().any(|pod| pod.metadata.name == *name) {
                self.gone(name);
            }
        }
    }

    /// The names of those that had been made by now.
    pub fn made_by_now(&self) -> Vec<String> {
        let pods = self.lock();
        let made = pods.iter().filter(|(_, entry)| entry.uid.is_some());
        made.map(|(name, _)| name.clone()).collect()
    }
}

impl Entry {
    fn end(&self) {
        self.told.send_modify(|told| told.dead = true);
    }
}

fn stage_of(pod: &Pod) -> Stage {
    let status = &pod.status;
    let state = status.container_statuses.first().map(|container| &container.state);
    if let Some(ended) = state.and_then(|state| state.terminated.as_ref()) {
        return match trouble_of(ended) {
            Some(trouble) => Stage::Stuck(trouble),
            None => Stage::Ended(words("it has ended", ended)),
        };
    }
    if matches!(&*status.phase, "Failed" | "Succeeded") {
        let why = Words { reason: status.reason.clone(), message: status.message.clone() };
        return Stage::Ended(words("it has ended", &why));
    }
    // Until its node says that it is gone, which a node that is lost never does.
    if pod.metadata.deletion_timestamp.is_some() {
        return Stage::Ended("it is being deleted".to_owned());
    }
    if state.is_some_and(|state| state.running.is_some()) {
        return Stage::Running;
    }
    if let Some(trouble) = state.and_then(|state| trouble_of(state.waiting.as_ref()?)) {
        return Stage::Stuck(trouble);
    }
    let unscheduled = |condition: &&Condition| {
        condition.kind == "PodScheduled"
            && condition.status == "False"
            && condition.reason == "Unschedulable"
    };
    if let Some(condition) = status.conditions.iter().find(unscheduled) {
        return Stage::Unschedulable(condition.message.clone());
    }
    let is_scheduled =
        |condition: &Condition| condition.kind == "PodScheduled" && condition.status == "True";
    if status.conditions.iter().any(is_scheduled) {
        Stage::Starting
    } else {
        Stage::Coming
    }
}

/// What a container that has not begun to run says of itself where it never will.
fn trouble_of(words: &Words) -> Option<Trouble> {
    let Words { reason, message } = words;
    let message = message.clone();
    Some(match &**reason {
        // The first has the registry's own words; the second comes after it and has fewer.
        "ErrImagePull" | "ImagePullBackOff" => {
            let said = message.to_ascii_lowercase();
            let missing = ["not found", "manifest unknown", "does not exist", "no such host"];
            if missing[..3].iter().any(|word| said.contains(word)) {
                Trouble::NoImage(message)
            } else {
                Trouble::Pull(message)
            }
        }
        "ErrImageNeverPull" => Trouble::NoImage(message),
        "InvalidImageName" | "RegistryUnavailable" | "ImageInspectError" => Trouble::Pull(message),
        "ContainerCannotRun" | "StartError" | "RunContainerError" | "CreateContainerError"
            if message.contains("executable file not found")
                || message.contains("no such file or directory") =>
        {
            Trouble::NoProgram(message)
        }
        "ContainerCannotRun"
        | "StartError"
        | "RunContainerError"
        | "CreateContainerError"
        | "CreateContainerConfigError" => Trouble::Other(message),
        _ => return None,
    })
}

fn words(before: &str, words: &Words) -> String {
    let said = [&words.reason, &words.message];
    let said: Vec<&str> =
        said.into_iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
    if said.is_empty() {
        before.to_owned()
    } else {
        format!("{before} ({})", said.join(": "))
    }
}

/// Of a process in it, or of the whole.
fn was_killed_for_memory(pod: &Pod) -> bool {
    pod.status.container_statuses.iter().any(|container| {
        container.state.terminated.as_ref().is_some_and(|words| words.reason == "OOMKilled")
    })
}

impl Trouble {
    pub fn told(self, image: &str) -> Error {
        let (code, message) = match self {
            Self::NoImage(why) => (
                Code::ImageNotFound,
                format!("The cluster can't get the image {image}: {why}"),
            ),
            Self::Pull(why) => (
                Code::ImagePullFailed,
                format!(
                    "The cluster can't pull the image {image}: {why} (kubernetes.imagePullSecrets names \
                     credentials)"
                ),
            ),
            Self::NoProgram(why) => (
                Code::EngineError,
                format!(
                    "The image {image} has no python3, which pods of the engine 'kubernetes' take: {why}"
                ),
            ),
            Self::Other(why) => {
                (Code::EngineError, format!("The pod's container did not start: {why}"))
            }
        };
        Error::new(code, message).image(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(status: serde_json::Value) -> Pod {
        let pod = serde_json::json!({ "metadata": { "name": "p", "uid": "u" }, "status": status });
        serde_json::from_value(pod).unwrap()
    }

    fn waiting(reason: &str, message: &str) -> Stage {
        stage_of(&pod(serde_json::json!({
            "phase": "Pending",
            "containerStatuses": [{ "state": { "waiting": { "reason": reason, "message": message } } }],
        })))
    }

    #[test]
    fn a_pod_that_waits_for_its_container_is_coming_and_one_that_cannot_have_it_is_stuck() {
        assert_eq!(waiting("ContainerCreating", ""), Stage::Coming);
        assert!(matches!(
            waiting("ErrImagePull", "manifest for x:y not found: manifest unknown"),
            Stage::Stuck(Trouble::NoImage(_))
        ));
        assert!(matches!(
            waiting("ErrImagePull", "dial tcp: i/o timeout"),
            Stage::Stuck(Trouble::Pull(_))
        ));
        assert!(matches!(
            waiting("CreateContainerConfigError", "image will run as root"),
            Stage::Stuck(Trouble::Other(_))
        ));
    }

    #[test]
    fn the_schedulers_words_are_kept() {
        let unschedulable = pod(serde_json::json!({
            "phase": "Pending",
            "conditions": [{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": "0/3 nodes are available: 3 Insufficient memory.",
            }],
        }));
        let words = "0/3 nodes are available: 3 Insufficient memory.".to_owned();
        assert_eq!(stage_of(&unschedulable), Stage::Unschedulable(words));
    }

    #[test]
    fn a_pod_that_a_node_has_is_starting_until_its_container_runs() {
        let scheduled = |statuses: serde_json::Value| {
            stage_of(&pod(serde_json::json!({
                "phase": "Pending",
                "conditions": [{ "type": "PodScheduled", "status": "True" }],
                "containerStatuses": statuses,
            })))
        };
        assert_eq!(scheduled(serde_json::json!([])), Stage::Starting);
        let waiting =
            serde_json::json!([{ "state": { "waiting": { "reason": "ContainerCreating" } } }]);
        assert_eq!(scheduled(waiting), Stage::Starting);
        assert_eq!(scheduled(serde_json::json!([{ "state": { "running": {} } }])), Stage::Running);
    }

    #[test]
    fn a_pod_that_is_being_deleted_has_ended_although_it_runs() {
        let mut deleted = pod(serde_json::json!({
            "phase": "Running", "containerStatuses": [{ "state": { "running": {} } }],
        }));
        assert_eq!(stage_of(&deleted), Stage::Running);
        deleted.metadata.deletion_timestamp = Some("2027-01-15T08:00:00Z".to_owned());
        assert!(matches!(stage_of(&deleted), Stage::Ended(_)));
    }

    #[test]
    fn an_end_for_memory_is_told_before_the_end() {
        let roster = Arc::new(Roster::default());
        let listed = roster.enter("p");
        roster.made("p", "u");
        roster.tell(&pod(serde_json::json!({
            "phase": "Failed",
            "containerStatuses": [{ "state": { "terminated": { "reason": "OOMKilled", "exitCode": 137 } } }],
        })));
        let vitals = listed.vitals();
        assert!(vitals.is_over());
        assert_eq!(vitals.oom_kills(), 1);
    }

    #[test]
    fn one_that_a_list_has_no_more_is_gone_if_it_had_been_made_before_that() {
        let roster = Arc::new(Roster::default());
        let (made, coming) = (roster.enter("made"), roster.enter("coming"));
        let before = roster.made_by_now();
        roster.tell_all(&[], &before);
        assert_eq!(*made.stage.borrow(), Stage::Coming);
        roster.made("made", "u");
        roster.tell_all(&[], &roster.made_by_now());
        assert!(matches!(*made.stage.borrow(), Stage::Ended(_)));
        assert_eq!(*coming.stage.borrow(), Stage::Coming);
    }

    #[test]
    fn who_is_not_listened_to_is_forgotten_and_its_streams_are_closed() {
        let roster = Arc::new(Roster::default());
        let listed = roster.enter("p");
        let streams = listed.streams.clone();
        let vitals = listed.vitals();
        assert!(!roster.is_empty());
        drop(vitals);
        assert!(roster.is_empty() && streams.is_cancelled());
    }
}
