//! The simulated cluster as a [`Log`].

use std::collections::BTreeMap;

use super::{Log, Offset, Reader, Refused, Seen};
use crate::sim::chance::Chance;
use crate::sim::cluster::{Cluster, OffsetsRefused};
use crate::sim::group::{Committed, Credentials, Group, Word};
use crate::sim::log::{Fetched, Isolation, Producer, Refusal};

/// Milliseconds of a moment.
const MOMENT: i64 = 200;

/// The simulated cluster with one group, and the clients of its members.
#[derive(Debug)]
pub struct FakeKafka {
    cluster: Cluster,
    chance: Chance,
    now: i64,
    topics: BTreeMap<String, usize>,
    compacting: Vec<usize>,
    ids: BTreeMap<String, usize>,
    instances: Vec<String>,
    /// Metadata by number: offsets of the simulation carry a number.
    metadata: Vec<String>,
    members: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    credentials: Credentials,
    is_alive: bool,
    is_joined: bool,
    owned: u32,
}

impl Default for FakeKafka {
    fn default() -> Self {
        Self {
            cluster: Cluster::new(0, vec![Group::new(2)]),
            chance: Chance::new(1),
            now: 0,
            topics: BTreeMap::new(),
            compacting: Vec::new(),
            ids: BTreeMap::new(),
            instances: Vec::new(),
            metadata: Vec::new(),
            members: Vec::new(),
        }
    }
}

const fn isolation(reader: Reader) -> Isolation {
    match reader {
        Reader::Committed => Isolation::Committed,
        Reader::Uncommitted => Isolation::Uncommitted,
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Fenced => Self::Fenced,
            other => Self::Other(format!("{other:?}")),
        }
    }
}

impl FakeKafka {
    fn instance(&mut self, name: &str) -> usize {
        let known = self.instances.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.instances.push(name.to_owned());
            self.instances.len() - 1
        })
    }

    /// The client of a member does its part.
    fn live(&mut self, at: usize) {
        let (client, group) = (&mut self.members[at], &mut self.cluster.groups[0]);
        if !client.is_alive {
            return;
        }
        let joins = match client.credentials.member {
            None => true,
            Some(id) if client.is_joined => {
                group.wait(client.credentials, self.now);
                if let Some((generation, assigned)) = group.assignment(id) {
                    // What goes is given back at once, with another join to say so.
                    let gives_back = client.owned & !assigned != 0;
                    client.owned = assigned;
                    client.credentials.generation = generation;
                    client.is_joined = false;
                    gives_back
                } else {
                    !group.has_joined(id)
                }
            }
            Some(_) => match group.heartbeat(client.credentials, self.now) {
                Word::Rebalancing => true,
                Word::Fine => false,
                _ => {
                    client.is_alive = false;
                    false
                }
            },
        };
        if joins && let Ok(id) = group.join(client.credentials, client.owned, self.now) {
            client.credentials.member = Some(id);
            client.is_joined = true;
        }
    }

    fn moment(&mut self) {
        self.now += MOMENT;
        for at in 0..self.members.len() {
            self.live(at);
            self.cluster.tick(self.now, &mut self.chance);
        }
        self.cluster.tick(self.now, &mut self.chance);
        for id in 0..self.cluster.log.ids() {
            self.cluster.write_marker(id, self.now, &mut self.chance);
        }
        for slot in self.compacting.clone() {
            let until = self.cluster.log.stable(slot) - 1;
            self.cluster.log.compact(slot, until, i64::MIN);
        }
    }

    fn retried(&mut self, mut call: impl FnMut(&mut Self) -> Result<(), Refusal>) -> Result<(), Refused> {
        loop {
            match call(self) {
                // The client asks again until the transaction before is settled.
                Err(Refusal::Concurrent) => self.moment(),
                other => return other.map_err(Refused::from),
            }
        }
    }
}

impl Log for FakeKafka {
    type Producer = Producer;
    type Member = usize;
    type Credentials = Credentials;

    fn create(&mut self, name: &str, compacts: bool) -> String {
        let slot = self.cluster.log.add_partition();
        self.topics.insert(name.to_owned(), slot);
        if compacts {
            self.compacting.push(slot);
        }
        name.to_owned()
    }

    fn register(&mut self, id: &str, timeout: u32) -> Producer {
        let known = self.ids.get(id).copied();
        let id = known.unwrap_or_else(|| {
            let added = self.cluster.add_id(0, i64::from(timeout));
            self.ids.insert(id.to_owned(), added);
            added
        });
        self.cluster.register(id, self.now)
    }

    fn begin(&mut self, _producer: &mut Producer) {}

    fn send(&mut self, producer: &mut Producer, topic: &str, key: &str, value: Option<&str>) {
        let slot = self.topics[topic];
        let key = self.cluster.log.keep(key.as_bytes());
        let value = value.map(|value| self.cluster.log.keep(value.as_bytes()));
        let producer = *producer;
        let sent =
            self.retried(|kafka| kafka.cluster.log.produce(producer, slot, Some(key), value, kafka.now).map(drop));
        sent.expect("a record is acknowledged");
    }

    fn send_offset(
        &mut self,
        producer: &mut Producer,
        credentials: &Credentials,
        _topic: &str,
        next: i64,
        metadata: &str,
    ) -> Result<(), Refused> {
        self.metadata.push(metadata.to_owned());
        let offset = Committed { next, txn_seq: self.metadata.len() as u64 - 1, by: 0 };
        loop {
            match self.cluster.send_offsets(*producer, Some(*credentials), &[(0, offset)], self.now) {
                Ok(()) => return Ok(()),
                Err(OffsetsRefused::Transaction(Refusal::Concurrent)) => self.moment(),
                Err(OffsetsRefused::Transaction(refusal)) => return Err(refusal.into()),
                Err(OffsetsRefused::Group(Word::FencedInstance)) => return Err(Refused::SupersededMember),
                Err(OffsetsRefused::Group(_)) => return Err(Refused::StaleMember),
            }
        }
    }

    fn commit(&mut self, producer: &mut Producer) -> Result<(), Refused> {
        let producer = *producer;
        self.retried(|kafka| kafka.cluster.end(producer, true))
    }

    fn abort(&mut self, producer: &mut Producer) -> Result<(), Refused> {
        let producer = *producer;
        self.retried(|kafka| kafka.cluster.end(producer, false))
    }

    fn read(&mut self, topic: &str, reader: Reader) -> Vec<Seen> {
        let (slot, log) = (self.topics[topic], &self.cluster.log);
        let mut position = log.start(slot);
        let mut records = Vec::new();
        let text = |bytes| String::from_utf8(log.bytes(bytes).to_vec()).expect("text was written");
        while let Fetched::Record(entry) = log.fetch(slot, position, isolation(reader)) {
            position = entry.offset + 1;
            let key = text(entry.key.expect("every record has a key"));
            records.push(Seen { offset: entry.offset, key, value: entry.value.map(text) });
        }
        records
    }

    fn watermarks(&mut self, topic: &str, reader: Reader) -> (i64, i64) {
        let (slot, log) = (self.topics[topic], &self.cluster.log);
        let end = if reader == Reader::Committed { log.stable(slot) } else { log.high(slot) };
        (log.start(slot), end)
    }

    fn delete_before(&mut self, topic: &str, offset: i64) {
        self.cluster.log.delete_before(self.topics[topic], offset);
    }

    fn committed(&mut self, _group: &str, _topic: &str) -> Offset {
        match self.cluster.groups[0].committed(0) {
            Err(_) => Offset::Unstable,
            Ok(None) => Offset::Absent,
            Ok(Some(at)) => Offset::At(at.next, self.metadata[at.txn_seq as usize].clone()),
        }
    }

    fn join(&mut self, _group: &str, _topic: &str, instance: &str) -> usize {
        let credentials = Credentials { instance: self.instance(instance), member: None, generation: -1 };
        self.members.push(Client { credentials, is_alive: true, is_joined: false, owned: 0 });
        let at = self.members.len() - 1;
        for _ in 0..self.patience() {
            if self.members[at].owned != 0 {
                return at;
            }
            self.moment();
        }
        panic!("{instance} is given nothing");
    }

    fn credentials(&mut self, member: &usize) -> Credentials {
        self.members[*member].credentials
    }

    fn outsider(&mut self, _group: &str) -> Credentials {
        Credentials { instance: self.instance("outsider"), member: None, generation: -1 }
    }

    fn kill(&mut self, member: usize) {
        self.members[member].is_alive = false;
    }

    fn pass(&mut self) {
        self.moment();
    }

    fn patience(&self) -> u32 {
        200
    }
}
