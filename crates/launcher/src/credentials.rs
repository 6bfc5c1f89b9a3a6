//! Who a process of a container is, and what it may do.

use rustix::{
    process::{Gid, Uid},
    thread::{
        clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
        set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid, CapabilitySet,
        CapabilitySets,
    },
};
use scientist_pool_protocol::{Privileges, User};

use crate::{
    failure::{invalid, During, Result},
    ids::{Mapping, RANGE},
    sys,
};

/// The highest number of a capability there can be.
const LAST: u8 = 63;

/// Becomes the root of a user namespace whose ids have been mapped by the parent.
pub fn become_root(mapping: Mapping) -> Result<()> {
    match mapping {
        Mapping::Range(_) => become_user(User { uid: 0, gid: 0 }),
        Mapping::Own { .. } => Ok(()),
    }
}

/// Becomes the user that the process is to be, and gives everything else up.
pub fn settle(mapping: Mapping, user: User, privileges: &Privileges) -> Result<()> {
    if user.uid >= RANGE || user.gid >= RANGE {
        return Err(invalid(format!("{}:{}: ids end before {RANGE}", user.uid, user.gid)));
    }
    let kept = kept(&privileges.capabilities)?;
    drop_bounding(kept)?;
    clear_ambient_capability_set().during("drop ambient capabilities")?;
    if privileges.no_new_privileges {
        set_no_new_privs(true).during("set no-new-privileges")?;
    }
    if let Mapping::Range(_) = mapping {
        become_user(user)?;
    }
    // What root has is reckoned anew from the bounding set when the program is executed.
    let have = if user.uid == 0 { kept } else { CapabilitySet::empty() };
    let sets =
        CapabilitySets { effective: have, permitted: have, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).during("drop capabilities")
}

/// Sets system call filters, each on top of the last.
pub fn filter(filters: &[Vec<u8>]) -> Result<()> {
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
