//! The sums of a customer: three horizons, evidence mix, channels. Everything in here can be added, taken back and
//! joined in any order.

use throughline_model::{Channel, EventTime};

use crate::decay::Decayed;
use crate::recent::Entry;
use crate::rules::{HalfLives, counts_in_consistency};

/// Decayed sums over all valenced touchpoints of a customer (4.2).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    /// Horizon of the moment score.
    pub moment: Decayed,
    /// Horizon of the relationship score.
    pub relationship: Decayed,
    /// Horizon of the lifetime score and the personal baseline.
    pub lifetime: Decayed,
    /// `sum(w v^2 g)` with the landmark of `lifetime`.
    pub lifetime_c: f64,
    /// `sum(w g)` by kind of evidence with the landmark of `relationship`.
    pub mix: [f64; 4],
    /// Valenced touchpoints in the sums.
    pub count: u32,
}

impl Sums {
    /// Adds what the entry contributed.
    pub fn add(&mut self, entry: &Entry, half_life: &HalfLives) {
        self.count += 1;
        self.accumulate(entry, half_life, 1.0);
    }

    /// Takes back what the entry contributed: the same products, subtracted.
    pub fn retract(&mut self, entry: &Entry, half_life: &HalfLives) {
        debug_assert!(self.count > 0, "only what was added is taken back");
        self.count = self.count.saturating_sub(1);
        if self.count == 0 {
            // Rounding leaves residues; without any contribution the sums are nothing.
            self.moment.clear();
            self.relationship.clear();
            self.lifetime.clear();
            self.lifetime_c = 0.0;
            self.mix = [0.0; 4];
        } else {
            self.accumulate(entry, half_life, -1.0);
        }
    }

    fn accumulate(&mut self, entry: &Entry, half_life: &HalfLives, sign: f64) {
        let (at, v, w) = (entry.occurred_at, entry.v(), sign * entry.w());
        self.moment.add(at, half_life.moment, v, w);
        let (g, scale) = self.relationship.add(at, half_life.relationship, v, w);
        if scale != 1.0 {
            self.mix.iter_mut().for_each(|share| *share *= scale);
        }
        let total = entry.mix.iter().map(|&q| f64::from(q)).sum::<f64>();
        for (share, &q) in self.mix.iter_mut().zip(&entry.mix) {
            if q > 0 {
                *share += w * g * (f64::from(q) / total);
            }
        }
        let (g, scale) = self.lifetime.add(at, half_life.lifetime, v, w);
        self.lifetime_c = self.lifetime_c * scale + w * v * v * g;
    }

    /// Joins the sums of another state.
    pub fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.moment.join(other.moment);
        let (mine, theirs) = self.relationship.join(other.relationship);
        for (share, more) in self.mix.iter_mut().zip(&other.mix) {
            *share = *share * mine + more * theirs;
        }
        let (mine, theirs) = self.lifetime.join(other.lifetime);
        self.lifetime_c = self.lifetime_c * mine + other.lifetime_c * theirs;
    }
}

/// Sums of one channel (4.4) and when it was last used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChannelSum {
    /// The channel.
    pub channel: Channel,
    /// Decayed sums; empty for surveys, which do not count in consistency.
    pub sums: Decayed,
    /// Valenced touchpoints in the sums.
    pub count: u32,
    /// Latest use among the touchpoints that have left the recent list.
    pub folded_last_at: Option<EventTime>,
}

/// The channels of a customer in the order of their codes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Channels {
    /// One row a channel that ever carried a touchpoint.
    pub rows: Vec<ChannelSum>,
}

impl Channels {
    /// The row of a channel, made if there is none.
    pub fn row(&mut self, channel: Channel) -> &mut ChannelSum {
        let at = match self.rows.binary_search_by_key(&channel, |row| row.channel) {
            Ok(at) => at,
            Err(at) => {
                if self.rows.capacity() == 0 {
                    self.rows.reserve_exact(1);
                }
                self.rows.insert(at, ChannelSum { channel, sums: Decayed::default(), count: 0, folded_last_at: None });
                at
            }
        };
        &mut self.rows[at]
    }

    /// Adds what the entry contributed to its channel.
    pub fn add(&mut self, entry: &Entry, half_life: &HalfLives) {
        if entry.is_valenced() && counts_in_consistency(entry.channel) {
            let row = self.row(entry.channel);
            row.count += 1;
            row.sums.add(entry.occurred_at, half_life.channel, entry.v(), entry.w());
        }
    }

    /// Takes back what the entry contributed to its channel.
    pub fn retract(&mut self, entry: &Entry, half_life: &HalfLives) {
        if !(entry.is_valenced() && counts_in_consistency(entry.channel)) {
            return;
        }
        let row = self.row(entry.channel);
        row.count = row.count.saturating_sub(1);
        if row.count == 0 {
            row.sums.clear();
        } else {
            row.sums.add(entry.occurred_at, half_life.channel, entry.v(), -entry.w());
        }
    }

    /// Notes the use of a channel by an entry that leaves the recent list.
    pub fn fold(&mut self, entry: &Entry) {
        if entry.contact {
            let row = self.row(entry.channel);
            row.folded_last_at = row.folded_last_at.max(Some(entry.occurred_at));
        }
    }

    /// Joins the rows of another state.
    pub fn join(&mut self, other: &Self) {
        for theirs in &other.rows {
            let row = self.row(theirs.channel);
            row.count += theirs.count;
            row.sums.join(theirs.sums);
            row.folded_last_at = row.folded_last_at.max(theirs.folded_last_at);
        }
    }
}
