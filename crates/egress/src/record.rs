//! What is told of a connection.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use serde::{Serialize, Serializer};

use crate::{customs::Seen, host::Host, meter::Tally};

/// A connection, or an attempt at one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// In lower case; an address of version 6 in brackets.
    pub host: String,
    pub port: u16,
    pub allowed: bool,
    /// The entry that allowed it, or why it was not.
    pub rule: String,
    /// Why one that was allowed did not come about, or was ended here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Bytes to the host: of a tunnel all of them, of a request in HTTP its own.
    pub bytes_sent: u64,
    /// Bytes from the host.
    pub bytes_received: u64,
    /// Serialized as milliseconds.
    #[serde(serialize_with = "millis")]
    pub duration: Duration,
    /// The names of the secrets whose values went to the host in place of their placeholders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// The names of those whose placeholders went to the host as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub strayed: Vec<String>,
}

fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64() * 1000.0)
}

/// Gets the records of a lease.
pub type OnRecord = Arc<dyn Fn(Record) + Send + Sync>;

/// One that is still to be told: when it is dropped, whatever ends the connection.
pub struct Entry {
    host: String,
    port: u16,
    refused: bool,
    rule: String,
    error: OnceLock<String>,
    pub tally: Arc<Tally>,
    pub seen: Arc<Seen>,
    began: Instant,
    on_record: OnRecord,
}

impl Entry {
    pub fn new(host: &Host, port: u16, on_record: &OnRecord) -> Self {
        Self {
            host: host.to_string(),
            port,
            refused: false,
            rule: String::new(),
            error: OnceLock::new(),
            tally: Arc::default(),
            seen: Arc::default(),
            began: Instant::now(),
            on_record: on_record.clone(),
        }
    }

    pub fn allow(&mut self, rule: String) {
        self.rule = rule;
    }

    pub fn refuse(&mut self, why: &str) {
        self.refused = true;
        why.clone_into(&mut self.rule);
    }

    /// What is said first counts: the rest may follow from it.
    pub fn fail(&self, why: impl ToString) {
        let _ = self.error.set(why.to_string());
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let (bytes_sent, bytes_received) = self.tally.bytes();
        let (secrets, strayed) = self.seen.take();
        (self.on_record)(Record {
            host: std::mem::take(&mut self.host),
            port: self.port,
            allowed: !self.refused,
            rule: std::mem::take(&mut self.rule),
            error: self.tally.fault().or_else(|| self.error.take()),
            bytes_sent,
            bytes_received,
            duration: self.began.elapsed(),
            secrets,
            strayed,
        });
    }
}
