//! What a worker commits, on its way to the local log.

use std::collections::BTreeMap;
use std::sync::Arc;

use throughline_model::Topic;
use throughline_worker::Outputs;

use super::DriverOptions;
use crate::client::ClientOptions;
use crate::local_log::format::{Position, RecordsBlock};
use crate::local_log::{Claim, Keeper, Kept, LogWriter};
use crate::restore::Positions;

/// Collects the changelog records of the open transaction and appends them once it is confirmed.
pub(super) struct CommittedLogs {
    kept: Option<Logs>,
}

struct Logs {
    keeper: Arc<Keeper>,
    positions: Positions,
    changelog: Topic,
    held: BTreeMap<i32, Held>,
}

struct Held {
    log: Kept,
    /// Records of the open transaction.
    records: RecordsBlock,
    /// An answer taken before the offsets of a commit were sent: true once that commit, or a later one, is confirmed.
    position: Option<Position>,
}

impl CommittedLogs {
    /// No log yet; never one if none are kept.
    pub(super) fn new(client: &ClientOptions, options: &DriverOptions) -> Self {
        let kept = options.restore.keeper.clone().zip(options.changelog.as_ref()).and_then(|(keeper, name)| {
            let code = options.outputs.iter().position(|output| output == name)?;
            let changelog = Topic::ALL[code];
            match Positions::start(client, &options.name, name) {
                Ok(positions) => Some(Logs { keeper, positions, changelog, held: BTreeMap::new() }),
                Err(error) => {
                    tracing::warn!(worker = options.name, %error, "no local log: its thread cannot be started");
                    None
                }
            }
        });
        Self { kept }
    }

    /// The log of a partition that was just restored.
    pub(super) fn open(&mut self, partition: i32, claim: Claim, writer: LogWriter) {
        if let Some(logs) = &mut self.kept {
            let log = logs.keeper.keep(claim, writer);
            logs.positions.watch(partition);
            logs.held.insert(partition, Held { log, records: RecordsBlock::default(), position: None });
        }
    }

    /// Copies what goes to the changelog.
    pub(super) fn collect(&mut self, outputs: &Outputs) {
        let Some(logs) = self.kept.as_mut().filter(|logs| !logs.held.is_empty()) else { return };
        for record in outputs.records().iter().filter(|record| record.target.topic == logs.changelog) {
            if let Some(held) = record.target.partition.and_then(|partition| logs.held.get_mut(&partition))
                && let Some(key) = outputs.key(record)
            {
                held.records.push(key, outputs.value(record));
            }
        }
    }

    /// A transaction begins: what one before it collected and did not commit is forgotten.
    pub(super) fn begun(&mut self) {
        for held in self.kept.iter_mut().flat_map(|logs| logs.held.values_mut()) {
            held.records.clear();
        }
    }

    /// Before the offsets of a commit are sent: the coordinator's confirmation will prove that what the brokers answered until
    /// now was answered to the owner.
    pub(super) fn take_positions(&mut self) {
        if let Some(Logs { positions, held, .. }) = &mut self.kept {
            positions.take(|partition, position| {
                if let Some(held) = held.get_mut(&partition) {
                    held.position = Some(position);
                }
            });
        }
    }

    /// The transaction is confirmed.
    pub(super) fn committed(&mut self) {
        let Some(logs) = &mut self.kept else { return };
        for held in logs.held.values_mut() {
            let position = held.position.take();
            if !held.records.is_empty() || position.is_some() {
                logs.keeper.append(&held.log, std::mem::take(&mut held.records), position);
            }
        }
        logs.held.retain(|partition, held| {
            let is_alive = held.log.is_alive();
            if !is_alive {
                logs.positions.forget(*partition);
            }
            is_alive
        });
    }

    /// The partition is gone.
    pub(super) fn close(&mut self, partition: i32) {
        if let Some(logs) = &mut self.kept
            && let Some(held) = logs.held.remove(&partition)
        {
            logs.positions.forget(partition);
            logs.keeper.close(&held.log);
        }
    }

    /// All partitions are gone.
    pub(super) fn close_all(&mut self) {
        let held: Vec<i32> = self.kept.iter().flat_map(|logs| logs.held.keys().copied()).collect();
        held.into_iter().for_each(|partition| self.close(partition));
    }
}
