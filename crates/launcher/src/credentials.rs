//! Who a process of a container is, and what it may do.

use rustix::{
    process::{Gid, Uid},
    thread::{
        clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
        set_keep_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid,
        set_thread_res_uid, CapabilitySet, CapabilitySets,
    },
};
use scientist_pool_protocol::{Privileges, User};

use crate::{
    failure::{invalid, During, Result},
    fences::Fence,
    ids::{self, Mapping, RANGE},
    sys,
};

/// Whom process 1 is: the first that scripts are not.
const FIRST_USERS: [User; 2] =
    [User { uid: 65_533, gid: 65_533 }, User { uid: 65_532, gid: 65_532 }];
/// The highest number of a capability there can be.
const LAST: u8 = 63;

/// What it takes to make children of another user, and to interrupt them.
const TAKES: CapabilitySet =
    CapabilitySet::SETUID.union(CapabilitySet::SETGID).union(CapabilitySet::KILL);

/// Becomes the root of a user namespace whose ids have been mapped by the parent.
pub fn become_root(mapping: Mapping) -> Result<()> {
    match mapping {
        Mapping::Range(_) => become_user(User { uid: 0, gid: 0 }),
        Mapping::Own { .. } => Ok(()),
    }
}

/// Becomes the user that the process is to be, and gives everything else up.
pub fn settle(mapping: Mapping, user: User, privileges: &Privileges) -> Result<()> {
    bind(user, privileges)?;
    become_member(mapping, user, privileges)
}

/// Becomes process 1, whose children are to be that user: it keeps what making them so takes. Where there
/// is one, it is another user than they are.
pub fn settle_first(mapping: Mapping, user: User, privileges: &Privileges) -> Result<()> {
    bind(user, privileges)?;
    if let Mapping::Range(_) = mapping {
        set_keep_capabilities(true).during("keep capabilities")?;
        become_user(first_beside(user))?;
        have(TAKES | kept_by(user, privileges)?)?;
    } else {
        have(kept_by(user, privileges)?)?;
    }
    // What it makes for its children is theirs, such as the pipes that they find as /dev/stdout.
    sys::set_file_ids(user.uid, user.gid);
    // An ordinary user's launcher has yet to open its namespaces.
    ids::open_memory(matches!(mapping, Mapping::Own { .. }))
}

/// Whom process 1 is where scripts are that user.
pub fn first_beside(user: User) -> User {
    let another = |first: &User| first.uid != user.uid && Fence::First.stands();
    FIRST_USERS.into_iter().find(another).unwrap_or(user)
}

/// What a process 1 begins with that is started as [`first_beside`], by their names.
pub const FIRST_CAPABILITIES: [&str; 4] = ["SETUID", "SETGID", "KILL", "SETPCAP"];

/// As [`settle_first`], in one that was started with them.
pub fn settle_started(user: User, privileges: &Privileges) -> Result<()> {
    bind(user, privileges)?;
    have(TAKES | kept_by(user, privileges)?)?;
    sys::set_file_ids(user.uid, user.gid);
    Ok(())
}

/// Becomes a template in its new user namespace, in which no id is 0: it keeps all capabilities until it is
/// settled.
pub fn become_template(mapping: Mapping, user: User) -> Result<()> {
    match mapping {
        Mapping::Range(_) => become_user(mapping.outside(user)),
        Mapping::Own { .. } => Ok(()),
    }
}

/// Gives up what a template is not to have.
pub fn settle_template() -> Result<()> {
    bind_to(CapabilitySet::empty(), true)?;
    have(CapabilitySet::empty())
}

/// What [`bind`] and [`become_member`] leave of capabilities, as the kernel numbers them: in the bounding set,
/// and to the process.
pub fn of_member(user: User, privileges: &Privileges) -> Result<(u64, u64)> {
    Ok((check(user, privileges)?.bits(), kept_by(user, privileges)?.bits()))
}

/// Whether there are such; gives the capabilities.
pub fn check(user: User, privileges: &Privileges) -> Result<CapabilitySet> {
    if user.uid >= RANGE || user.gid >= RANGE {
        return Err(invalid(format!("{}:{}: ids end before {RANGE}", user.uid, user.gid)));
    }
    kept(&privileges.capabilities)
}

/// Gives up for good what no process of the container is to have.
fn bind(user: User, privileges: &Privileges) -> Result<()> {
    bind_to(check(user, privileges)?, privileges.no_new_privileges)
}

fn bind_to(kept: CapabilitySet, no_new_privileges: bool) -> Result<()> {
    drop_bounding(kept)?;
    match clear_ambient_capability_set() {
        // A kernel that has none, such as gVisor's.
        Err(rustix::io::Errno::INVAL) => {}
        cleared => cleared.during("drop ambient capabilities")?,
    }
    if no_new_privileges {
        set_no_new_privs(true).during("set no-new-privileges")?;
    }
    Ok(())
}

/// Becomes the user that the process is to be, within what it is bound to.
pub fn become_member(mapping: Mapping, user: User, privileges: &Privileges) -> Result<()> {
    if let Mapping::Range(_) = mapping {
        become_user(user)?;
    }
    have(kept_by(user, privileges)?)
}

/// What root has is reckoned anew from the bounding set when the program is executed.
fn kept_by(user: User, privileges: &Privileges) -> Result<CapabilitySet> {
    if user.uid == 0 {
        kept(&privileges.capabilities)
    } else {
        Ok(CapabilitySet::empty())
    }
}

fn have(capabilities: CapabilitySet) -> Result<()> {
    let sets = CapabilitySets {
        effective: capabilities,
        permitted: capabilities,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).during("drop capabilities")
}

/// Sets system call filters, each on top of the last.
pub fn filter(filters: &[Vec<u8>]) -> Result<()> {
    let filters = if Fence::Seccomp.stands() { filters } else { &[] };
    filters.iter().try_for_each(|filter| sys::set_seccomp(filter)).during("set the seccomp filter")
}

fn become_user(user: User) -> Result<()> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    let step = || format!("become {}:{}", user.uid, user.gid);
    set_thread_groups(&[]).during(step())?;
    set_thread_res_gid(gid, gid, gid).during(step())?;
    set_thread_res_uid(uid, uid, uid).during(step())
}

fn kept(numbers: &[u8]) -> Result<CapabilitySet> {
    let mut kept = CapabilitySet::empty();
    for number in numbers {
        if *number > LAST {
            return Err(invalid(format!("{number} is no capability")));
        }
        kept |= CapabilitySet::from_bits_retain(1 << number);
    }
    Ok(kept)
}

fn drop_bounding(kept: CapabilitySet) -> Result<()> {
    for number in 0..=LAST {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            // The first number that this kernel has no capability for.
            Err(rustix::io::Errno::INVAL) if number > 0 => break,
            dropped => dropped.during("drop the bounding set")?,
        }
    }
    Ok(())
}
