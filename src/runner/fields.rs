//! The strings and lists of what is sent into a container (`supervisor.py` and `files.py` define where they
//! stand).

/// Appends a length. It is checked against [`super::MAX_INPUT`] before anything is encoded.
pub(super) fn length(out: &mut Vec<u8>, length: usize) {
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
