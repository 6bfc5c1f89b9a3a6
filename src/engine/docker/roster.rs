//! The containers of this process on one engine, and what the engine's events say of them.
//!
//! One engine may be known to the process by two addresses, or with two sets of settings, and then has
//! two clients with a roster each. So what is on nobody's list here is looked for on all of them before
//! it counts as nobody's.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use once_cell::sync::Lazy;
use serde::Deserialize;
use tokio::sync::watch;

use super::{
    super::{vitals::Told, ContainerId, Vitals},
    listed::Listed,
};

/// An event of the engine, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Happened {
    #[serde(rename = "Action")]
    pub action: String,
    #[serde(rename = "Actor")]
    pub actor: Actor,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Actor {
    #[serde(rename = "ID")]
    pub id: ContainerId,
}

/// All rosters of the process.
static ROSTERS: Lazy<Mutex<Vec<Weak<Roster>>>> = Lazy::new(Mutex::default);

pub(super) struct Roster(Mutex<Lists>);

#[derive(Default)]
struct Lists {
    members: HashMap<ContainerId, Member>,
    /// Names of containers that are on their way.
    expected: HashSet<String>,
}

struct Member {
    told: watch::Sender<Told>,
    /// Its removal has been asked for.
    doomed: bool,
    /// How many calls are at it.
    removals: usize,
}

impl Roster {
    pub fn new() -> Arc<Self> {
        let roster = Arc::new(Self(Mutex::default()));
        let mut rosters = lock(&ROSTERS);
        rosters.retain(|other| other.strong_count() > 0);
        rosters.push(Arc::downgrade(&roster));
        roster
    }

    /// A container of that name is about to be made.
    pub fn expect(self: &Arc<Self>, name: &str) -> Expected {
        self.lists().expected.insert(name.to_owned());
        Expected { roster: self.clone(), name: name.to_owned() }
    }

    /// A container has been made. What the engine tells of it comes through what is returned.
    pub fn enter(self: &Arc<Self>, id: &str) -> Vitals {
        let (sender, told) = watch::channel(Told::default());
        self.lists()
            .members
            .insert(id.to_owned(), Member { told: sender, doomed: false, removals: 0 });
        Vitals::new(told, Entered { roster: self.clone(), id: id.to_owned() })
    }

    /// A container's removal is asked for, and under way until what is returned is dropped.
    pub fn doom(self: &Arc<Self>, id: &str) -> Doomed {
        if let Some(member) = self.lists().members.get_mut(id) {
            member.doomed = true;
            member.removals += 1;
        }
        Doomed { roster: self.clone(), id: id.to_owned() }
    }

    /// Whether no container is there, or on its way, that anybody would want to hear of.
    pub fn is_idle(&self) -> bool {
        let lists = self.lists();
        let over = |member: &Member| member.doomed || member.told.borrow().dead;
        lists.expected.is_empty() && lists.members.values().all(over)
    }

    /// Takes an event.
    pub fn hear(&self, Happened { action, actor }: &Happened) {
        let lists = self.lists();
        let Some(member) = lists.members.get(&actor.id) else { return };
        member.told.send_if_modified(|told| match action.as_str() {
            // The second ones are Podman's.
            "die" | "died" | "destroy" | "remove" => !std::mem::replace(&mut told.dead, true),
            "oom" => {
                told.oom_kills += 1;
                true
            }
            _ => false,
        });
    }

    /// Who is there now, to compare a list with that is asked for after this.
    pub fn snapshot(&self) -> Vec<ContainerId> {
        self.lists().members.keys().cloned().collect()
    }

    /// Compares what the engine lists of this process with who was there before: a member that is not
    /// listed, or does not run, is dead. Returns the ids of those nobody wants: whose create was never
    /// answered, or whose removal failed.
    pub fn compare(&self, before: &[ContainerId], listed: &[Listed]) -> Vec<ContainerId> {
        let alive: HashSet<&str> = listed
            .iter()
            .filter(|container| !container.has_ended())
            .map(|container| container.id.as_str())
            .collect();
        let lists = self.lists();
        for id in before.iter().filter(|id| !alive.contains(id.as_str())) {
            if let Some(member) = lists.members.get(id) {
                member.told.send_if_modified(|told| !std::mem::replace(&mut told.dead, true));
            }
        }
        drop(lists);
        let rosters: Vec<_> = lock(&ROSTERS).iter().filter_map(Weak::upgrade).collect();
        let unwanted = listed
            .iter()
            .filter(|container| !rosters.iter().any(|roster| roster.lists().want(container)));
        unwanted.map(|container| container.id.clone()).collect()
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        lock(&self.0)
    }
}

impl Lists {
    /// One that is made becomes a member before its name is taken off, so it is always one of the two.
    fn want(&self, container: &Listed) -> bool {
        container.names().any(|name| self.expected.contains(name))
            || self
                .members
                .get(&container.id)
                .is_some_and(|member| !member.doomed || member.removals > 0)
    }
}

/// Nothing done under these locks can leave what they guard half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name on its way, until this is dropped.
pub(super) struct Expected {
    roster: Arc<Roster>,
    name: String,
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.roster.lists().expected.remove(&self.name);
    }
}

/// A removal under way, until this is dropped.
pub(super) struct Doomed {
    roster: Arc<Roster>,
    id: ContainerId,
}

impl Drop for Doomed {
    fn drop(&mut self) {
        if let Some(member) = self.roster.lists().members.get_mut(&self.id) {
            member.removals = member.removals.saturating_sub(1);
        }
    }
}

/// A container's place on the roster, until this is dropped.
struct Entered {
    roster: Arc<Roster>,
    id: ContainerId,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.roster.lists().members.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn event(action: &str, id: &str) -> Happened {
        Happened { action: action.to_owned(), actor: Actor { id: id.to_owned() } }
    }

    fn listed(id: &str, name: &str, state: &str) -> Listed {
        let json = format!(r#"{{"Id":"{id}","Names":["/{name}"],"State":"{state}"}}"#);
        serde_json::from_str(&json).unwrap()
    }

    fn is_dead(vitals: &Vitals) -> bool {
        vitals.dead().now_or_never().is_some()
    }

    #[test]
    fn an_event_reaches_whoever_holds_that_container_alone() {
        let roster = Roster::new();
        let (a, b) = (roster.enter("a"), roster.enter("b"));
        roster.hear(&event("oom", "a"));
        roster.hear(&event("exec_die", "a"));
        assert_eq!((a.oom_kills(), b.oom_kills(), is_dead(&a)), (1, 0, false));
        roster.hear(&event("die", "a"));
        roster.hear(&event("die", "unknown"));
        assert!(is_dead(&a) && !is_dead(&b));
    }

    #[test]
    fn a_member_that_is_not_listed_as_running_is_dead() {
        let roster = Roster::new();
        let [gone, ended, runs] = ["gone", "ended", "runs"].map(|id| roster.enter(id));
        let before = roster.snapshot();
        let late = roster.enter("late");
        let list = [listed("ended", "n1", "exited"), listed("runs", "n2", "running")];
        roster.compare(&before, &list);
        assert!(is_dead(&gone) && is_dead(&ended) && !is_dead(&runs));
        assert!(!is_dead(&late), "it was made after the list");
    }

    #[test]
    fn what_nobody_waits_for_and_nobody_holds_is_unwanted() {
        let (roster, other) = (Roster::new(), Roster::new());
        let [_held, _doomed, _going] = ["held", "doomed", "going"].map(|id| roster.enter(id));
        let _elsewhere = other.enter("elsewhere");
        drop(roster.doom("doomed"));
        let _under_way = roster.doom("going");
        let awaited = roster.expect("awaited");
        let list = [
            listed("held", "n1", "running"),
            listed("doomed", "n2", "running"),
            listed("going", "n5", "running"),
            listed("x", "awaited", "created"),
            listed("elsewhere", "n3", "running"),
            listed("stray", "n4", "created"),
        ];
        assert_eq!(roster.compare(&roster.snapshot(), &list), ["doomed", "stray"]);
        drop(awaited);
        assert_eq!(roster.compare(&roster.snapshot(), &list), ["doomed", "x", "stray"]);
    }

    #[test]
    fn it_is_idle_when_all_that_is_left_is_on_its_way_out() {
        let roster = Roster::new();
        let expected = roster.expect("n");
        assert!(!roster.is_idle());
        let _a = roster.enter("a");
        drop(expected);
        assert!(!roster.is_idle());
        drop(roster.doom("a"));
        assert!(roster.is_idle());
    }
}
