//! What a worker commits, on its way to the local log, and up to where the changelog is part of what it holds.

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
    keeper: Option<Arc<Keeper>>,
    positions: Positions,
    changelog: Topic,
    held: BTreeMap<i32, Held>,
}

struct Held {
    log: Option<Kept>,
    /// Records of the open transaction.
    records: RecordsBlock,
    /// An answer taken before the offsets of a commit were sent: true once that commit, or a later one, is confirmed.
    position: Option<Position>,
    /// Everything in the changelog before it is part of committed state.
    settled: Position,
}

impl CommittedLogs {
    /// Nothing held yet; nothing ever if neither logs nor warm partitions are wanted.
    pub(super) fn new(client: &ClientOptions, options: &DriverOptions) -> Self {
        let (keeper, warm) = (options.restore.keeper.clone(), options.restore.warm);
        let name = options.changelog.as_ref().filter(|_| keeper.is_some() || !warm.is_zero());
        let kept = name.and_then(|name| {
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

    /// A partition was restored up to `end`, and has this log.
    pub(super) fn open(&mut self, partition: i32, log: Option<(Claim, LogWriter)>, end: Position) {
        if let Some(logs) = &mut self.kept {
            let log = logs.keeper.as_ref().zip(log).map(|(keeper, (claim, writer))| keeper.keep(claim, writer));
            logs.positions.watch(partition);
            let held = Held { log, records: RecordsBlock::default(), position: None, settled: end };
            logs.held.insert(partition, held);
        }
    }

    /// Up to where the changelog is part of the committed state of a partition that has no local log.
    pub(super) fn settled(&self, partition: i32) -> Option<Position> {
        let held = self.kept.as_ref()?.held.get(&partition)?;
        held.log.is_none().then_some(held.settled)
    }

    /// Copies what goes to the changelog.
    pub(super) fn collect(&mut self, outputs: &Outputs) {
        let Some(logs) = self.kept.as_mut().filter(|logs| logs.keeper.is_some()) else { return };
        for record in outputs.records().iter().filter(|record| record.target.topic == logs.changelog) {
            if let Some(held) = record.target.partition.and_then(|partition| logs.held.get_mut(&partition))
                && held.log.is_some()
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
            let position = held.position.take().filter(|position| position.next >= held.settled.next);
            held.settled = position.unwrap_or(held.settled);
            let Some((keeper, log)) = logs.keeper.as_ref().zip(held.log.as_ref()) else { continue };
            if !held.records.is_empty() || position.is_some() {
                keeper.append(log, std::mem::take(&mut held.records), position);
            }
            if !log.is_alive() {
                held.log = None;
            }
        }
    }

    /// The partition is gone.
    pub(super) fn close(&mut self, partition: i32) {
        if let Some(logs) = &mut self.kept
            && let Some(held) = logs.held.remove(&partition)
        {
            logs.positions.forget(partition);
            if let Some((keeper, log)) = logs.keeper.as_ref().zip(held.log) {
                keeper.close(&log);
            }
        }
    }

    /// All partitions are gone.
    pub(super) fn close_all(&mut self) {
        let held: Vec<i32> = self.kept.iter().flat_map(|logs| logs.held.keys().copied()).collect();
        held.into_iter().for_each(|partition| self.close(partition));
    }
}
