//! The reserved changelog record that says who may continue this state.

use throughline_codec::wire::{Reader, WireError, Writer};
use throughline_model::Hash128;
use throughline_worker::StateMismatch;

/// What state was written with. A deployment that differs must not continue it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateHeader {
    /// Newest format of the parts in this partition.
    pub state_format: u32,
    /// Partition count of inbox and changelog, fixed for life.
    pub partitions: u32,
    /// Public name of the hash key.
    pub key_id: Hash128,
    /// `name@fold.read` of the model at the first write.
    pub model: String,
}

impl StateHeader {
    /// Its reserved key; no node id is that short.
    pub const KEY: &'static [u8] = b"header";

    /// Appends its bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.uint(1, u64::from(self.state_format));
        writer.uint(2, u64::from(self.partitions));
        writer.bytes(3, &self.key_id.0);
        writer.text(4, &self.model);
        writer.text(5, "murmur2");
    }

    /// What a header says, and its partitioner.
    ///
    /// # Errors
    /// If it is torn.
    pub fn read(bytes: &[u8]) -> Result<(Self, &str), WireError> {
        let mut found = Self { state_format: 0, partitions: 0, key_id: Hash128::default(), model: String::new() };
        let mut partitioner = "";
        let mut reader = Reader::new(bytes);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => found.state_format = value.uint(field)? as u32,
                2 => found.partitions = value.uint(field)? as u32,
                3 => found.key_id = Hash128(value.array(field)?),
                4 => value.text(field)?.clone_into(&mut found.model),
                5 => partitioner = value.text(field)?,
                _ => {}
            }
        }
        Ok((found, partitioner))
    }

    /// Whether this deployment may continue the state that `bytes` describe. Returns its format.
    ///
    /// # Errors
    /// What differs, and what to do about it.
    pub fn check(&self, bytes: &[u8]) -> Result<u32, StateMismatch> {
        let torn = |_| StateMismatch("the header of the state is torn".to_owned());
        let (found, partitioner) = Self::read(bytes).map_err(torn)?;
        let differs = |what: &str, was: &dyn std::fmt::Display, is: &dyn std::fmt::Display, todo: &str| {
            Err(StateMismatch(format!("{what} was {was} when this state was written and is {is} now; {todo}")))
        };
        if found.state_format > self.state_format {
            return differs("the state format", &found.state_format, &self.state_format, "use the newer program");
        }
        if found.partitions != self.partitions {
            return differs(
                "the partition count",
                &found.partitions,
                &self.partitions,
                "set partitions back, or rebuild under a new application id",
            );
        }
        if found.key_id != self.key_id {
            return differs(
                "the hash key (or the tenant, which is part of every hash)",
                &found.key_id,
                &self.key_id,
                "use the key this state was written with; rotation is a rebuild under a new application id",
            );
        }
        let (was, is) = (fold_of(&found.model), fold_of(&self.model));
        if was != is {
            return differs(
                "the fold part of the model",
                &was,
                &is,
                "put the old fold part back, or rebuild under a new application id",
            );
        }
        if partitioner != "murmur2" {
            return differs("the partitioner", &partitioner, &"murmur2", "use the program that wrote it");
        }
        Ok(found.state_format)
    }
}

/// The fold half of `name@fold.read`.
fn fold_of(model: &str) -> &str {
    model.split_once('@').map_or(model, |(_, hashes)| hashes.split('.').next().unwrap_or(hashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> StateHeader {
        StateHeader {
            state_format: 1,
            partitions: 32,
            key_id: Hash128([7; 16]),
            model: "default@aaaaaaaa.bbbbbbbb".to_owned(),
        }
    }

    #[test]
    fn only_the_same_deployment_continues_state() {
        let mut bytes = Vec::new();
        header().write(&mut bytes);
        assert_eq!(header().check(&bytes), Ok(1));
        let read_changed = StateHeader { model: "default@aaaaaaaa.cccccccc".to_owned(), ..header() };
        assert_eq!(read_changed.check(&bytes), Ok(1), "the read part takes effect at restart");
        for other in [
            StateHeader { partitions: 16, ..header() },
            StateHeader { key_id: Hash128([8; 16]), ..header() },
            StateHeader { model: "default@dddddddd.bbbbbbbb".to_owned(), ..header() },
            StateHeader { state_format: 0, ..header() },
        ] {
            assert!(other.check(&bytes).is_err(), "{other:?}");
        }
    }
}
