//! Figures rather than verdicts: `cargo test --release -p scientist-pool-launcher --test figures -- --ignored --nocapture`.
//!
//! `FIGURES_ROOT` names a root file system to use in place of this machine's `/usr`, `FIGURES_N` how many
//! containers, `FIGURES_WHO` (`nobody`) who starts the launcher.
#![cfg(target_os = "linux")]

mod support;

use std::{
    collections::HashMap,
    fs::File,
    io::Read,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::event::{poll, PollFd, PollFlags};
use scientist_pool_protocol::{Answer, Limits, Message, Request, Spec};
use support::{spec, Launcher, SpecExt, Who};

/// Python, ready to be told what to do, as soon as it can say so.
const BOOT: &str = "import os; os.write(1, b'r'); os.read(0, 1)";

fn settings() -> (Spec, usize, Who) {
    let mut spec = spec();
    let profile = include_str!("../../../docs/seccomp.json");
    spec.privileges.seccomp = scientist_pool_seccomp::compile(profile, &[], &[]).unwrap();
    if let Some(root) = std::env::var_os("FIGURES_ROOT") {
        spec.root.folders = vec![root.into()];
        spec.binds.clear();
    }
    let n = std::env::var("FIGURES_N").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let who = match std::env::var("FIGURES_WHO").as_deref() {
        Ok("nobody") => Who::Nobody,
        _ => Who::Root,
    };
    (spec, n, who)
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| {
        let index = ((times.len() - 1) as f64 * share).round() as usize;
        times[index].as_secs_f64() * 1e3
    };
    println!(
        "{what:44} min {:7.2}  p50 {:7.2}  p90 {:7.2}  p99 {:7.2} ms  n {}",
        at(0.0),
        at(0.5),
        at(0.9),
        at(0.99),
        times.len()
    );
}

/// One at a time: how long until its program is executed, until it is ready, until it is gone.
fn one_at_a_time(what: &str, spec: &Spec, n: usize, who: Who) {
    let mut launcher = Launcher::start(who);
    let (mut started, mut ready, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..n + 5 {
        let begin = Instant::now();
        let mut running = launcher.create(spec).unwrap();
        let executed = begin.elapsed();
        let mut byte = [0];
        running.stdout.read_exact(&mut byte).unwrap();
        let said = begin.elapsed();
        let begin = Instant::now();
        launcher.remove(running.id);
        if turn >= 5 {
            started.push(executed);
            ready.push(said);
            gone.push(begin.elapsed());
        }
    }
    print(&format!("{what}: create to exec"), started);
    print(&format!("{what}: create to ready"), ready);
    print(&format!("{what}: remove to gone"), gone);
}

/// So many on their way at once: how many are made, ready and removed in a second.
fn side_by_side(what: &str, spec: &Spec, n: usize, width: usize, who: Who) {
    let mut launcher = Launcher::start(who);
    let begin = Instant::now();
    let (mut asked, mut removed) = (0, 0);
    let mut waiting: HashMap<u64, u64> = HashMap::new();
    let mut booting: Vec<(u64, File, OwnedFd)> = Vec::new();
    while removed < n {
        while asked - removed < width && asked < n {
            let id = launcher.next_id();
            let number =
                launcher.send(Request::Create { id, spec: Box::new(spec.clone()), template: None });
            waiting.insert(number, id);
            asked += 1;
        }
        let mut ready = vec![PollFd::new(&launcher.channel, PollFlags::IN)];
        ready.extend(booting.iter().map(|(_, stdout, _)| PollFd::new(stdout, PollFlags::IN)));
        poll(&mut ready, None).unwrap();
        let ready: Vec<bool> = ready.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut index = 0;
        let mut booted = Vec::new();
        booting.retain(|(id, ..)| {
            index += 1;
            if ready[index] {
                booted.push(*id);
            }
            !ready[index]
        });
        for id in booted {
            launcher.send(Request::Remove { id });
        }
        if !ready[0] {
            continue;
        }
        match launcher.receive() {
            (Message::Answer { answer: Answer::Created(_), number }, descriptors) => {
                let [stdin, stdout, _, _]: [OwnedFd; 4] = descriptors.try_into().unwrap();
                booting.push((waiting[&number], stdout.into(), stdin));
            }
            (Message::Answer { answer: Answer::Removed, .. }, _) => removed += 1,
            (Message::Ended { .. }, _) => {}
            other => panic!("{other:?}"),
        }
    }
    let rate = n as f64 / begin.elapsed().as_secs_f64();
    println!("{:44} {rate:7.1} a second  n {n}", format!("{what}, {width} at once"));
}

#[test]
#[ignore = "figures, no verdict"]
fn figures() {
    let (spec, n, who) = settings();
    let python = spec.clone().python(BOOT);
    let nothing = spec.clone().argv(&["sh", "-c", "echo; read line"]);
    let unlimited = Spec { limits: Limits::default(), ..python.clone() };
    one_at_a_time("shell", &nothing, n, who);
    one_at_a_time("python", &python, n, who);
    one_at_a_time("python, no limits", &unlimited, n, who);
    for width in [1, 2, 4, 8] {
        side_by_side("python", &python, n, width, who);
    }
    side_by_side("shell", &nothing, n, 4, who);
}

/// For a profiler: nothing but containers, one after another.
#[test]
#[ignore = "figures, no verdict"]
fn shells() {
    let (spec, n, who) = settings();
    side_by_side("shell", &spec.argv(&["sh", "-c", "echo; read line"]), n, 1, who);
}
