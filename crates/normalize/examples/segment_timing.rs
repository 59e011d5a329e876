//! Times the normalization of one Segment record, end to end without text: `cargo run --release --example segment_timing`.

#![allow(clippy::print_stdout, clippy::disallowed_methods)] // A measurement needs a clock and says what it saw.

use std::hint::black_box;
use std::time::Instant;

use throughline_model::{IdHasher, ReceivedAt, SourceKind};
use throughline_normalize::format::NoHeaders;
use throughline_normalize::{
    Catalog, Formats, NoSchemas, NormalizeOptions, Normalizer, SourceOptions, SourceRecord, formats,
};

const RECORD: &str = r#"{"anonymousId":"507f191e810c19729de860ea","userId":"97980cfea0067","channel":"browser","context":{"ip":"8.8.8.8","library":{"name":"analytics.js","version":"2.11.1"},"locale":"en-US","page":{"path":"/academy/","referrer":"","search":"","title":"Analytics Academy","url":"https://shop.test/academy/"},"userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_5) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/40.0"},"messageId":"022bb90c-bbac-11e4-8dfc-aa07a5b093db","properties":{"title":"x","url":"https://shop.test/"},"receivedAt":"2026-02-23T22:28:55.387Z","sentAt":"2026-02-23T22:28:55.111Z","timestamp":"2026-02-23T22:28:55.111Z","type":"page"}"#;

fn main() {
    let ids = IdHasher::new([7; 32], "acme");
    let mut source = SourceOptions::new("web", SourceKind::Web);
    let catalog = Catalog::default();
    println!("{} bytes", RECORD.len());
    for named in [true, false] {
        if named {
            source.formats = Formats::Only(formats::by_name("segment").into_iter().collect());
        } else {
            source.formats = Formats::Auto;
        }
        let mut normalizer = Normalizer::new(NormalizeOptions::default(), ids.clone());
        let record = SourceRecord {
            topic: "touchpoints.web",
            partition: 0,
            offset: 0,
            received_at: ReceivedAt::from_millis(1_800_000_000_000),
            key: None,
            value: Some(RECORD.as_bytes()),
            headers: &NoHeaders,
        };
        let rounds = 300_000;
        let mut best = f64::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            for _ in 0..rounds {
                normalizer
                    .normalize(&source, black_box(&record), &NoSchemas, &catalog, &mut |index, entry| {
                        black_box((index, &entry));
                    })
                    .expect("no schema is needed");
            }
            best = best.min(start.elapsed().as_secs_f64() / f64::from(rounds));
        }
        println!("{}: {:.0} ns", if named { "format configured" } else { "format found by shape" }, best * 1e9);
    }
}
