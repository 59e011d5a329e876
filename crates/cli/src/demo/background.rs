//! Ordinary customers: they look, buy, answer, call, like. Most of them are content.

use throughline_config::vocabulary::SourceKind;

use super::payloads::{Payload, answer, call, comment, contract, like, page, shopify_order, track, woocommerce_order};
use serde_json::json;

/// How many ordinary customers there are.
const CUSTOMERS: u64 = 60;
/// Pauses between two of their records, milliseconds.
const PAUSE: (u64, u64) = (60, 180);

const PATHS: [&str; 6] = ["/", "/tickets", "/tickets/red-line", "/hotels/seaside", "/tea", "/help"];
const WORDS: [&str; 4] = [
    "Lovely driver this morning, thank you very much!",
    "Great tea, fast delivery, I am really happy with it.",
    "Does the bus to the coast run on Sundays?",
    "The new waiting room at the station is very nice.",
];

/// A generator whose numbers are the same everywhere for one seed (SplitMix64).
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`. Of so few the bias is nothing.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[usize::try_from(self.below(list.len() as u64)).expect("lists are short")]
    }
}

/// The stream of their records.
#[derive(Debug, Clone)]
pub struct Background {
    random: Random,
    start: i64,
    /// When the next record is sent, milliseconds after the start.
    pub next_after: u64,
    count: u64,
}

impl Background {
    /// The stream from `start` on.
    pub const fn new(start: i64, seed: u64) -> Self {
        Self { random: Random(seed), start, next_after: 0, count: 0 }
    }

    /// The next record, and when it is sent.
    pub fn take(&mut self) -> (u64, Payload) {
        let after = self.next_after;
        self.next_after += PAUSE.0 + self.random.below(PAUSE.1 - PAUSE.0);
        self.count += 1;
        let at = self.start + i64::try_from(after).expect("a demo is short");
        let (who, id) = (self.random.below(CUSTOMERS), format!("bg-{}", self.count));
        (after, self.payload(who, &id, at))
    }

    fn payload(&mut self, who: u64, id: &str, at: i64) -> Payload {
        let user = format!("user-{who}");
        let total = format!("{}.{:02}", 5 + self.random.below(90), self.random.below(100));
        match self.random.below(100) {
            0..=44 => page(&user, id, at, self.random.of(&PATHS)),
            45..=54 => {
                let product = json!({"product_id": "TEA-250", "sku": "TEA-250", "name": "Tea, 250 g", "price": 9.9});
                track(&user, id, at, "Product Viewed", product)
            }
            55..=62 => shopify_order(9_000 + who, 40_000 + self.count, at, &total),
            63..=68 => woocommerce_order(700 + who, 70_000 + self.count, at, &total),
            69..=78 => {
                let score = 7 + self.random.below(4);
                answer(&format!("K-{who}"), id, at, "nps", score as f64, (0, 10))
            }
            79..=85 => like(&format!("3000{who}"), at),
            86..=89 => comment(&format!("3000{who}"), id, at, self.random.of(&WORDS)),
            90..=93 => call("INITIATED", &format!("call-{id}"), &format!("K-{who}"), at, None, None),
            94..=96 => {
                let trip = json!({"channel": "partner", "owners": {"partner": "red-line"}, "refs": {"booking_id": id},
                    "facets": [{"facet": "punctuality", "score": 4, "min": 1, "max": 5},
                        {"facet": "cleanliness", "score": 5, "min": 1, "max": 5}]});
                contract(SourceKind::Partner, "partner.service.reported", id, ("login", &user), at, trip)
            }
            _ => {
                let visit = json!({"refs": {"visit_id": id}, "owners": {"store": "harbour"}});
                contract(SourceKind::Store, "visit.entered", id, ("login", &user), at, visit)
            }
        }
    }
}
