//! Segment calls of a shop, the same for the same seed.
//!
//! | share | call | valenced |
//! |---|---|---|
//! | 30 % | page | |
//! | 22 % | Product Viewed | |
//! | 8 % | Product Added | |
//! | 8 % | Products Searched, with results | |
//! | 6 % | Checkout Started | |
//! | 6 % | Products Searched, without results | yes |
//! | 8 % | Coupon Denied | yes |
//! | 8 % | Order Completed (two touchpoints) | yes |
//! | 4 % | Product Reviewed with a rating and no text | yes |

use std::io::Write as _;

/// What a drawn record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Which customer, below the number of keys.
    pub key: u32,
    /// Whether it moves a score.
    pub valenced: bool,
}

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A page call.
    Page,
    /// A product was looked at.
    Viewed,
    /// A product went into the cart.
    Added,
    /// A search with results.
    Found,
    /// A checkout began.
    Checkout,
    /// A search without results.
    NotFound,
    /// A coupon was refused.
    Denied,
    /// An order: two touchpoints.
    Ordered,
    /// Stars without a text.
    Reviewed,
}

const CALLS: [(Call, u64); 9] = [
    (Call::Page, 30),
    (Call::Viewed, 22),
    (Call::Added, 8),
    (Call::Found, 8),
    (Call::Checkout, 6),
    (Call::NotFound, 6),
    (Call::Denied, 8),
    (Call::Ordered, 8),
    (Call::Reviewed, 4),
];

const PRODUCTS: [(&str, &str); 6] = [
    ("Cabin case", "luggage"),
    ("Rain jacket", "outdoor"),
    ("Espresso machine", "kitchen"),
    ("Desk lamp", "lighting"),
    ("Running shoes", "sports"),
    ("Noise-cancelling headphones", "audio"),
];

const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/126.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148",
];

/// Draws records.
#[derive(Debug, Clone)]
pub struct Generator {
    random: u64,
    keys: u32,
    serial: u64,
}

impl Generator {
    /// A generator over `keys` customers, all equally likely.
    #[must_use]
    pub fn new(seed: u64, keys: u32) -> Self {
        Self { random: seed, keys: keys.max(1), serial: 0 }
    }

    /// Draws a customer and a call, and appends the call to `out`. `at` is its event time in milliseconds since 1970.
    pub fn draw(&mut self, at: i64, out: &mut Vec<u8>) -> Drawn {
        let key = u32::try_from(self.next() % u64::from(self.keys)).expect("a remainder of a u32 is one");
        let mut left = self.next() % 100;
        let mut chosen = Call::Page;
        for (call, share) in CALLS {
            if left < share {
                chosen = call;
                break;
            }
            left -= share;
        }
        self.write(chosen, key, at, out);
        let valenced = matches!(chosen, Call::NotFound | Call::Denied | Call::Ordered | Call::Reviewed);
        Drawn { key, valenced }
    }

    /// Appends one call of one customer to `out`.
    pub fn write(&mut self, call: Call, key: u32, at: i64, out: &mut Vec<u8>) {
        let (random, other) = (self.next(), self.next());
        self.serial += 1;
        let call_name = match call {
            Call::Page => "",
            Call::Viewed => "Product Viewed",
            Call::Added => "Product Added",
            Call::Found | Call::NotFound => "Products Searched",
            Call::Checkout => "Checkout Started",
            Call::Denied => "Coupon Denied",
            Call::Ordered => "Order Completed",
            Call::Reviewed => "Product Reviewed",
        };
        let (name, category) = PRODUCTS[random as usize % PRODUCTS.len()];
        let agent = AGENTS[key as usize % AGENTS.len()];
        let time = Millis(at);
        let mut put = |text: std::fmt::Arguments<'_>| out.write_fmt(text).expect("writing to memory cannot fail");
        match call_name {
            "" => put(format_args!(r#"{{"type":"page","name":"{name}","#)),
            name => put(format_args!(r#"{{"type":"track","event":"{name}","#)),
        }
        put(format_args!(
            r#""messageId":"ajs-{other:016x}{:08x}","anonymousId":"{}","#,
            self.serial,
            anonymous_id(key)
        ));
        if is_known(key) {
            put(format_args!(r#""userId":"{}","#, user_id(key)));
        }
        let address = random % 254 + 1;
        put(format_args!(
            r#""timestamp":"{time}","sentAt":"{time}","context":{{"ip":"203.0.113.{address}","library":{{"name":"analytics.js","version":"4.1.2"}},"locale":"en-US","page":{{"path":"/c/{category}","referrer":"https://www.example.com/","title":"{name}","url":"https://shop.test/c/{category}"}},"userAgent":"{agent}"}},"properties":{{"#
        ));
        let (product, cents) = (random >> 8 & 0xffff, 500 + other % 20_000);
        let price = Cents(cents);
        match call {
            Call::Page => put(format_args!(r#""category":"{category}","url":"https://shop.test/c/{category}""#)),
            Call::Viewed | Call::Added => put(format_args!(
                r#""product_id":"p-{product}","name":"{name}","category":"{category}","price":{price},"currency":"EUR","quantity":1"#
            )),
            Call::Found => put(format_args!(r#""query":"{category} blue","results":{}"#, 1 + other % 90)),
            Call::NotFound => put(format_args!(r#""query":"{category} size {product}","results":0"#)),
            Call::Checkout => put(format_args!(r#""checkout_id":"c-{other:x}","value":{price},"currency":"EUR""#)),
            Call::Denied => {
                put(format_args!(r#""coupon":"SPRING{}","reason":"expired","checkout_id":"c-{other:x}""#, product % 90))
            }
            Call::Ordered => put(format_args!(
                r#""order_id":"o-{other:x}","total":{price},"currency":"EUR","products":[{{"product_id":"p-{product}","name":"{name}","price":{price},"quantity":1}}]"#
            )),
            Call::Reviewed => put(format_args!(r#""product_id":"p-{product}","rating":{}"#, 1 + other % 5)),
        }
        put(format_args!("}}}}"));
    }

    /// SplitMix64: the same numbers on every machine and with every version of every crate.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Four customers of ten are logged in, always: a customer never changes its routing identifier.
#[must_use]
pub const fn is_known(key: u32) -> bool {
    key % 10 < 4
}

/// Login of a known customer.
#[must_use]
pub fn user_id(key: u32) -> String {
    format!("u-{key:07}")
}

/// Cookie of a customer.
#[must_use]
pub fn anonymous_id(key: u32) -> String {
    format!("7f{key:08x}-4b1c-4d2e-9a3f-5c6d7e8f9a0b")
}

/// The key that a producer gives the record: the identifier it routes by.
#[must_use]
pub fn record_key(key: u32) -> String {
    if is_known(key) { user_id(key) } else { anonymous_id(key) }
}

struct Millis(i64);

impl std::fmt::Display for Millis {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(out, "{time:.3}")
    }
}

struct Cents(u64);

impl std::fmt::Display for Cents {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, count: usize) -> (Vec<Vec<u8>>, Vec<Drawn>) {
        let mut generator = Generator::new(seed, 1_000);
        (0..count)
            .map(|at| {
                let mut out = Vec::new();
                let drawn = generator.draw(1_795_000_000_000 + at as i64, &mut out);
                (out, drawn)
            })
            .unzip()
    }

    #[test]
    fn a_seed_gives_the_same_records_and_another_seed_others() {
        assert_eq!(drawn(7, 50), drawn(7, 50));
        assert_ne!(drawn(7, 50).0, drawn(8, 50).0);
    }

    #[test]
    fn records_are_json_of_about_620_bytes_and_a_quarter_is_valenced() {
        let (records, drawn) = drawn(1, 2_000);
        for record in &records {
            serde_json::from_slice::<serde_json::Value>(record).expect("every record is JSON");
        }
        let mean = records.iter().map(Vec::len).sum::<usize>() / records.len();
        assert!((590..=650).contains(&mean), "{mean} bytes");
        let valenced = drawn.iter().filter(|drawn| drawn.valenced).count();
        assert!((440..=600).contains(&valenced), "{valenced} of 2000");
    }
}
