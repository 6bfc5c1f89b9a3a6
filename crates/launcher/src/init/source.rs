//! What a parked interpreter is started with, so that its site phase is ours.

use rustix::io::{Errno, Result};

use super::frames::Fields;

pub const PROGRAM: &str = "python3";
pub const PATHS: &str = "PYTHONPATH";

/// What every spare is made of.
pub struct Source(Vec<u8>);

impl Source {
    /// The source, what is to be imported, and what may be imported meanwhile.
    pub fn new(source: &[u8], preload: &[&[u8]], idle: &[&[u8]]) -> Self {
        let lists = format!("PRELOAD, IDLE = {}, {}\n", names(preload), names(idle));
        Self([lists.as_bytes(), source].concat())
    }

    /// As a boot brings it.
    pub fn read(fields: &mut Fields<'_>) -> Result<Self> {
        Ok(Self::new(fields.string()?, &fields.list()?, &fields.list()?))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// As Python writes them.
fn names(names: &[&[u8]]) -> String {
    let names = names.iter().map(|name| format!("{}.decode()", literal(name)));
    format!("[{}]", names.collect::<Vec<_>>().join(", "))
}

/// As Python writes bytes.
pub fn literal(bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("b'{escaped}'")
}

/// A zip file with one stored member. `zipimport` reads no checksum and no time of a member.
pub fn archive(name: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).map(u32::to_le_bytes);
    let short = u16::try_from(name.len()).map_err(|_| Errno::INVAL)?.to_le_bytes();
    let long = size(data).map_err(|_| Errno::INVAL)?;
    // Version, flags, method, time, checksum; sizes; of the name, and of nothing more.
    let member = [&[20, 0][..], &[0; 12], &long, &long, &short, &[0; 2]].concat();
    let local = [&b"PK\x03\x04"[..], &member, name, data].concat();
    let central = [&b"PK\x01\x02\x14\0"[..], &member, &[0; 14], name].concat();
    let sizes = (size(&central), size(&local));
    let (Ok(central_size), Ok(local_size)) = sizes else { return Err(Errno::INVAL) };
    let counts = [0, 0, 0, 0, 1, 0, 1, 0];
    let end = [&b"PK\x05\x06"[..], &counts, &central_size, &local_size, &[0; 2]].concat();
    Ok([local, central, end].concat())
}
