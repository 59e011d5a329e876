//! The story: a late bus and a cancelled trip, a hotel stay that goes wrong, a question nobody could answer, a traveler left
//! behind, a customer who says "never again", and a steady friend of the house who had two poor visits.
//!
//! It is told again every [`CHAPTER`] with new people, between the records of ordinary customers. Everything follows from
//! the start and the seed.

use std::collections::VecDeque;

use serde_json::{Value, json};
use throughline_config::vocabulary::SourceKind;

use super::background::Background;
use super::payloads::{Payload, answer, call, comment, contract, direct, page, shopify_order, torn, track};

/// Milliseconds from one telling to the next. All five alerts of a telling open in its first 16 seconds.
pub const CHAPTER: u64 = 25_000;
/// A day in milliseconds.
const DAY: i64 = 86_400_000;

/// A source record and when to send it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoryRecord {
    /// When to send it, milliseconds after the start of the story; it never goes back.
    pub after_ms: u64,
    /// Source whose topic it belongs on.
    pub source: SourceKind,
    /// Key.
    pub key: String,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Value, as the vendor sends it.
    pub value: Vec<u8>,
    /// What happens, for people; empty for ordinary customers.
    pub says: &'static str,
}

/// The records of the story, without end. `start` is the time of the first one in milliseconds since 1970: now, so that
/// alerts are not taken for those of a load of old records.
pub fn story(start: i64, seed: u64) -> impl Iterator<Item = StoryRecord> {
    Story { start, chapter: 0, beats: VecDeque::new(), background: Background::new(start, seed) }
}

struct Story {
    start: i64,
    chapter: u64,
    beats: VecDeque<Beat>,
    background: Background,
}

struct Beat {
    after_ms: u64,
    payload: Payload,
    says: &'static str,
}

impl Iterator for Story {
    type Item = StoryRecord;

    fn next(&mut self) -> Option<StoryRecord> {
        if self.beats.is_empty() {
            self.beats = chapter(self.start, self.chapter).into();
            self.chapter += 1;
        }
        let next = self.beats.front().expect("a chapter has beats").after_ms;
        let beat = if self.background.next_after < next {
            let (after_ms, payload) = self.background.take();
            Beat { after_ms, payload, says: "" }
        } else {
            self.beats.pop_front().expect("there is one")
        };
        let Beat { after_ms, payload, says } = beat;
        let Payload { source, key, headers, value } = payload;
        Some(StoryRecord { after_ms, source, key, headers, value, says })
    }
}

/// Collects the beats of one chapter.
struct Teller {
    /// Start of the chapter: event time, and milliseconds after the start of the story.
    start: i64,
    offset: u64,
    number: u64,
    beats: Vec<Beat>,
}

impl Teller {
    /// Something that happens `after` milliseconds into the chapter; `tell` gets its event time.
    fn at(&mut self, after: u64, says: &'static str, tell: impl FnOnce(i64) -> Payload) {
        let at = self.start + i64::try_from(after).expect("a chapter is short");
        self.beats.push(Beat { after_ms: self.offset + after, payload: tell(at), says });
    }

    /// A name of this chapter.
    fn name(&self, name: &str) -> String {
        format!("{name}-{}", self.number)
    }
}

fn chapter(start: i64, number: u64) -> Vec<Beat> {
    let offset = number * CHAPTER;
    let start = start + i64::try_from(offset).expect("a demo is short");
    let mut teller = Teller { start, offset, number, beats: Vec::new() };
    steady_friend(&mut teller);
    late_bus(&mut teller);
    hotel_stay(&mut teller);
    open_question(&mut teller);
    left_behind(&mut teller);
    never_again(&mut teller);
    bad_records(&mut teller);
    teller.beats.sort_by_key(|beat| beat.after_ms);
    teller.beats
}

/// Twenty good visits long ago, then two poor ones: good enough for anyone, but not for her.
fn steady_friend(teller: &mut Teller) {
    let mara = teller.name("K-mara");
    for visit in 0..20_u8 {
        let score = [4.5, 4.7, 4.9][usize::from(visit % 3)];
        let says = if visit == 0 { "Mara's last twenty visits are loaded; she was always glad to come" } else { "" };
        let days = 10 * i64::from(20 - visit);
        teller.at(0, says, |at| answer(&mara, &format!("{mara}-{visit}"), at - days * DAY, "csat", score, (1, 5)));
    }
    teller.at(14_000, "Mara rates today's visit 3.4 of 5: fair, but not for her", |at| {
        answer(&mara, &format!("{mara}-20"), at, "csat", 3.4, (1, 5))
    });
    teller.at(15_500, "Mara's second fair visit in a row: far below her own usual", |at| {
        answer(&mara, &format!("{mara}-21"), at, "csat", 3.4, (1, 5))
    });
}

/// The seller answers for the bus company.
fn late_bus(teller: &mut Teller) {
    let ann = teller.name("ann");
    let booking = teller.name("B");
    let trip = json!({"channel": "partner", "owners": {"partner": "red-line"}, "refs": {"booking_id": booking}});
    let trip = |more: Value| merged(&trip, more);
    let login = ("login", ann.as_str());
    for ride in 0..4_i64 {
        let says = if ride == 0 { "Ann's earlier rides are loaded; they were good" } else { "" };
        let id = format!("{booking}-{ride}");
        teller.at(0, says, |at| {
            let facets = json!({"facets": [{"facet": "punctuality", "score": 4, "min": 1, "max": 5},
                {"facet": "cleanliness", "score": 4, "min": 1, "max": 5}]});
            let at = at - (5 + 4 * ride) * DAY;
            contract(SourceKind::Partner, "partner.service.reported", &id, login, at, trip(facets))
        });
    }
    teller.at(500, "Ann looks at a bus ticket", |at| page(&ann, &format!("{ann}-1"), at, "/tickets/red-line"));
    teller.at(1_200, "Ann buys the ticket", |at| {
        let order = json!({"order_id": booking, "total": 29.0, "currency": "EUR",
            "products": [{"product_id": "RL-1", "sku": "RL-1", "name": "Red Line, single", "price": 29.0, "quantity": 1}]});
        track(&ann, &format!("{ann}-2"), at, "Order Completed", order)
    });
    teller.at(4_000, "the bus is late", |at| {
        contract(SourceKind::Partner, "partner.trip.delayed", &booking, login, at, trip(json!({})))
    });
    teller.at(5_500, "Ann rates the wait: far too late", |at| {
        let facets = json!({"facets": [{"facet": "punctuality", "score": 1, "min": 1, "max": 5},
            {"facet": "cleanliness", "score": 3, "min": 1, "max": 5}]});
        contract(SourceKind::Partner, "partner.service.reported", &booking, login, at, trip(facets))
    });
    teller.at(6_500, "the trip is cancelled: one severe moment is enough, whatever was good before", |at| {
        contract(SourceKind::Partner, "partner.trip.cancelled", &booking, login, at, trip(json!({})))
    });
    teller.at(18_500, "a person calls Ann, apologizes, refunds: that counts too", |at| {
        let made = json!({"channel": "phone", "refs": {"booking_id": booking}, "owners": {"team": "care"},
            "benefit": {"kind": "refund", "amount_minor": 2_900, "currency": "EUR"}});
        contract(SourceKind::CallCentre, "recovery.made", &booking, login, at, made)
    });
}

/// A fine check-in hides nothing.
fn hotel_stay(teller: &mut Teller) {
    let guest = teller.name("K-ben");
    let (stay, contact) = (teller.name("R"), teller.name("call-ben"));
    let id = ("customer_id", guest.as_str());
    let hotel = json!({"channel": "partner", "owners": {"partner": "seaside"}, "refs": {"reservation_id": stay}});
    teller.at(5_000, "Ben checks in at the hotel", |at| {
        contract(SourceKind::Partner, "stay.checked_in", &stay, id, at, hotel.clone())
    });
    teller.at(7_500, "the room is loud and not clean", |at| {
        let facets = json!({"facets": [{"facet": "cleanliness", "score": 2, "min": 1, "max": 5},
            {"facet": "noise", "score": 2, "min": 1, "max": 5}]});
        contract(SourceKind::Partner, "stay.reported", &stay, id, at, merged(&hotel, facets))
    });
    teller.at(9_500, "Ben calls the hotline", |at| call("INITIATED", &contact, &guest, at, None, None));
    teller.at(9_600, "", |at| call("QUEUED", &contact, &guest, at, Some(at), None));
    teller.at(10_500, "nobody answers, Ben gives up", |at| {
        call("DISCONNECTED", &contact, &guest, at, Some(at - 900), None)
    });
    teller.at(11_500, "Ben would not recommend us: low for the second time in a row", |at| {
        answer(&guest, &stay, at, "nps", 1.0, (0, 10))
    });
}

/// Staff did not know, and nobody wrote it down, except here.
fn open_question(teller: &mut Teller) {
    let (kim, visit) = (teller.name("card-kim"), teller.name("V"));
    let id = ("loyalty_card", kim.as_str());
    let shop = json!({"channel": "store", "refs": {"visit_id": visit}, "owners": {"store": "harbour"},
        "need": {"category": "washing machines"}});
    let shop = |more: Value| merged(&shop, more);
    teller.at(2_500, "Kim enters a store", |at| {
        contract(SourceKind::Store, "visit.entered", &visit, id, at, shop(json!({})))
    });
    teller.at(3_200, "Kim asks about washing machines", |at| {
        contract(SourceKind::Store, "assist.requested", &visit, id, at, shop(json!({})))
    });
    teller.at(4_500, "nobody could answer: a recorded failure of knowledge", |at| {
        let ended = json!({"result": {"resolved": false, "reason": "knowledge"}});
        contract(SourceKind::Store, "assist.ended", &visit, id, at, shop(ended))
    });
    teller.at(7_000, "Kim leaves without a word and without a purchase", |at| {
        contract(SourceKind::Store, "visit.ended", &visit, id, at, shop(json!({"result": {"purchased": false}})))
    });
}

/// Urgency comes before every tier.
fn left_behind(teller: &mut Teller) {
    let person = format!("4100{}", teller.number);
    teller.at(8_500, "a traveler writes that the last bus left without them", |at| {
        let text = "We are stranded at the station with two small kids, the last bus left without us. Please help!";
        direct(&person, &format!("{person}-1"), at, text, false)
    });
    teller.at(13_200, "a person answers the traveler", |at| {
        direct(&person, &format!("{person}-2"), at, "A taxi is on its way to you, we pay for it.", true)
    });
}

fn never_again(teller: &mut Teller) {
    let person = format!("4200{}", teller.number);
    teller.at(12_500, "someone says in public that they will not come back", |at| {
        let text = "Three hours at your counter for nothing. Never again, I am going elsewhere.";
        comment(&person, &format!("{person}-1"), at, text)
    });
}

/// What every real topic has: torn records and copies.
fn bad_records(teller: &mut Teller) {
    let order = 50_000 + teller.number;
    teller.at(16_500, "a till sends half a record: it becomes a dead letter, nothing stops", |at| torn(order, at));
    teller.at(17_000, "", |at| shopify_order(9_900, order, at, "19.90"));
    teller.at(17_500, "a webhook is delivered twice: it counts once", |at| {
        shopify_order(9_900, order, at - 500, "19.90")
    });
}

fn merged(value: &Value, more: Value) -> Value {
    let mut value = value.clone();
    if let (Some(members), Value::Object(more)) = (value.as_object_mut(), more) {
        members.extend(more);
    }
    value
}
