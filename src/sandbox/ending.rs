//! Who ended a container.

/// What its calls are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its holder, a limit or a shutdown.
    Asked,
    /// Nobody here.
    Lost,
}
