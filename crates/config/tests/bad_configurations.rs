//! Bad configurations and everything that is said about them, at once.

use std::num::NonZeroU32;

use expect_test::{Expect, expect};
use throughline_config::{RawConfig, Surroundings};

fn check_layers(file: &str, variables: &[(&str, &str)], flags: &[&str], expected: Expect) {
    let raw = RawConfig {
        file: Some(("throughline.toml".to_owned(), file.to_owned())),
        variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
    };
    let surroundings = Surroundings {
        cores: NonZeroU32::new(4).expect("four is not zero"),
        formats: vec!["segment".to_owned(), "snowplow".to_owned()],
        memory: None,
    };
    let errors = raw.resolve(&surroundings).expect_err("the configuration is bad");
    let printed: Vec<String> = errors.iter().map(ToString::to_string).collect();
    expected.assert_eq(&(printed.join("\n\n") + "\n"));
}

fn check(file: &str, expected: Expect) {
    check_layers(file, &[], &[], expected);
}

#[test]
fn every_mistake_of_every_layer_is_reported_at_once() {
    check_layers(
        "tenant = \"acme\"\n\n[kafka]\nbroker = [\"a:9092\"]\n\n[commit]\ninterval = 100\nrecords = 0\n",
        &[
            ("THROUGHLINE__COMMIT__OVERLAY", "64"),
            ("THROUGHLINE__KAFKA__BROKRS", "a:1"),
            ("THROUGHLINE__SOURCES__WEB__NAMES__PAID", "payment.completed"),
            ("PATH", "/bin"),
        ],
        &["log.level=verbose", "nonsense"],
        expect![[r#"
            error: `kafka.broker`: unknown key
              --> throughline.toml:4:1
               |
             4 | broker = ...
               | ^^^^^^
              = help: did you mean `kafka.brokers`?

            error: `commit.interval`: 100 has no unit; write it as text with one
              --> throughline.toml:7:12
               |
             7 | interval = 100
               |            ^^^
              = help: allowed: duration, 5ms to 2s

            error: `commit.records`: 0 is out of range
              --> throughline.toml:8:11
               |
             8 | records = 0
               |           ^
              = help: allowed: whole number, 1 to 1000000

            error: `commit.overlay`: `64` has no unit (B, KiB, MiB, GiB, kB, MB, GB)
              --> environment variable THROUGHLINE__COMMIT__OVERLAY
              = help: allowed: size, 1MiB to 4GiB

            error: `kafka.brokrs`: unknown key
              --> environment variable THROUGHLINE__KAFKA__BROKRS
              = help: did you mean `kafka.brokers`?

            error: `sources.web.names.paid`: a variable cannot spell the names of this table
              --> environment variable THROUGHLINE__SOURCES__WEB__NAMES__PAID
              = help: set it in a file, or with --set

            error: `log.level`: `verbose` is not a member
              --> flag --set log.level
              = help: allowed: one of error, warn, info, debug, trace

            error: `--set nonsense` has no `=`
              --> flag --set
              = help: --set kafka.brokers=host:9092
        "#]],
    );
}

#[test]
fn no_key_takes_the_share_of_the_brand_away() {
    check(
        "[attribution]\nbrand_share = 0.5\n",
        expect![[r#"
            error: `attribution`: unknown key
              --> throughline.toml:1:2
               |
             1 | attribution = ...
               | ^^^^^^^^^^^
              = help: the brand answers in full for what its partners do; no key takes that share away, and entities are scored beside it
        "#]],
    );
    check(
        "[model]\npartner_share = 1.0\n",
        expect![[r#"
        error: `model.partner_share`: unknown key
          --> throughline.toml:2:1
           |
         2 | partner_share = ...
           | ^^^^^^^^^^^^^
          = help: the brand answers in full for what its partners do; no key takes that share away, and entities are scored beside it
    "#]],
    );
}

#[test]
fn text_that_is_not_toml_is_shown_with_its_place() {
    check(
        "tenant = acme\n",
        expect![[r#"
        error: not TOML: string values must be quoted, expected literal string
          --> throughline.toml:1:10
           |
         1 | tenant = acme
           |          ^^^^
    "#]],
    );
    check(
        "tenant = \"a\"\ntenant = \"b\"\n",
        expect![[r#"
        error: not TOML: duplicate key
          --> throughline.toml:2:1
           |
         2 | tenant = "b"
           | ^^^^^^
    "#]],
    );
}

#[test]
fn types_units_and_ranges() {
    check(
        "application = \"a b\"\n[transaction]\nage = \"4\"\ntimeout = \"1h\"\n[topics]\npartitions = -1\nreplication = \"three\"\n\
         [alerts.experience_low]\nopens_at = 140\n[alerts.urgent_need]\nopens_at = nan\n[event_time]\nearliest = \"yesterday\"\n",
        expect![[r#"
            error: `application`: `a b` has the character ` `
              --> throughline.toml:1:15
               |
             1 | application = "a b"
               |               ^^^^^
              = help: allowed: letters, digits, `.`, `_`, `-`, 1 to 200

            error: `transaction.age`: `4` has no unit (ms, s, min, h, d)
              --> throughline.toml:3:7
               |
             3 | age = "4"
               |       ^^^
              = help: allowed: duration, 100ms to 10min

            error: `transaction.timeout`: `1h` is out of range
              --> throughline.toml:4:11
               |
             4 | timeout = "1h"
               |           ^^^^
              = help: allowed: duration, 1s to 15min

            error: `topics.partitions`: -1 is negative
              --> throughline.toml:6:14
               |
             6 | partitions = -1
               |              ^^
              = help: allowed: whole number, 1 to 4096

            error: `topics.replication`: is a string
              --> throughline.toml:7:15
               |
             7 | replication = "three"
               |               ^^^^^^^
              = help: allowed: whole number, 1 to 16

            error: `alerts.experience_low.opens_at`: 140 is out of range
              --> throughline.toml:9:12
               |
             9 | opens_at = 140
               |            ^^^
              = help: allowed: number, 0 to 100

            error: `alerts.urgent_need.opens_at`: NaN is out of range
              --> throughline.toml:11:12
                |
             11 | opens_at = nan
                |            ^^^
              = help: allowed: number, 0 to 1

            error: `event_time.earliest`: `yesterday` is not an RFC 3339 time such as 2000-01-01T00:00:00Z
              --> throughline.toml:13:12
                |
             13 | earliest = "yesterday"
                |            ^^^^^^^^^^^
              = help: allowed: RFC 3339 time
        "#]],
    );
}

#[test]
fn timeouts_hold_each_other() {
    check(
        "[transaction]\nage = \"9s\"\nsession_timeout = \"6s\"\n[commit]\ninterval = \"2s\"\n",
        expect![[r#"
            error: `transaction.age`: 9s is not below transaction.timeout (8s)
              --> throughline.toml:2:1
               |
             2 | age = "9s"
               | ^^^^^^^^^^
              = help: transaction.age < transaction.timeout < transaction.session_timeout

            error: `transaction.timeout`: 8s is not below transaction.session_timeout (6s)
              --> default.toml:367 (built in)
              = help: transaction.age < transaction.timeout < transaction.session_timeout
        "#]],
    );
}

#[test]
fn settings_that_exactly_once_rests_on_are_refused() {
    check(
        "[kafka.client]\n\"isolation.level\" = \"read_uncommitted\"\nenable.auto.commit = true\n\"sasl.password\" = \"hunter2\"\nsocket_timeout = 1\n",
        expect![[r#"
            error: `kafka.client."isolation.level"`: this setting is not yours to change
              --> throughline.toml:2:1
               |
             2 | "isolation.level" = ...
               | ^^^^^^^^^^^^^^^^^
              = help: only committed records are read

            error: `kafka.client."enable.auto.commit"`: this setting is not yours to change
              --> throughline.toml:3:13
               |
             3 | commit = ...
               | ^^^^^^
              = help: offsets are committed with the outputs, in one transaction

            error: `kafka.client."sasl.password"`: this setting is not yours to change
              --> throughline.toml:4:1
               |
             4 | "sasl.password" = ...
               | ^^^^^^^^^^^^^^^
              = help: set `kafka.sasl.password_file`

            error: `kafka.client.socket_timeout`: not a setting of librdkafka
              --> throughline.toml:5:1
               |
             5 | socket_timeout = ...
               | ^^^^^^^^^^^^^^
              = help: names have dots, as in `socket.timeout.ms`
        "#]],
    );
}

#[test]
fn secrets_are_not_shown_in_errors() {
    check(
        "[kafka.sasl]\nmechanism = \"plain\"\npasword = \"hunter2\"\npassword = \"hunter2\"\npassword_file = \"p\"\nusername = \"u\"\n\
         [registry]\nurl = \"https://me:hunter2@registry\"\n[identity]\nhash_key = \"hunter2\"\n\
         [kafka]\ntls = { key_password = \"hunter2\", enabled = 1, key_pasword = \"hunter2\" }\n",
        expect![[r#"
            error: `kafka.sasl.pasword`: unknown key
              --> throughline.toml:3:1
               |
             3 | pasword = ...
               | ^^^^^^^
              = help: did you mean `kafka.sasl.password`?

            error: `kafka.sasl.password`: is set, and so is `kafka.sasl.password_file`
              --> throughline.toml:4:1
               |
             4 | password = ...
               | ^^^^^^^^
              = help: keep one of the two, better the file

            error: `registry.url`: holds a user or a password, which have keys of their own
              --> throughline.toml:8:1
               |
             8 | url = ...
               | ^^^
              = help: allowed: http or https address; may be empty

            error: `identity.hash_key`: a hash key is 64 hex digits, this has 7 characters
              --> throughline.toml:10:1
                |
             10 | hash_key = ...
                | ^^^^^^^^
              = help: `openssl rand -hex 32` makes one

            error: `kafka.tls.enabled`: is an integer
              --> throughline.toml:12:45
                |
             12 | enabled = 1
                |           ^
              = help: allowed: true or false

            error: `kafka.tls.key_pasword`: unknown key
              --> throughline.toml:12:48
                |
             12 | key_pasword = ...
                | ^^^^^^^^^^^
              = help: did you mean `kafka.tls.key_password`?
        "#]],
    );
}

#[test]
fn secrets_are_not_shown_where_the_text_is_torn() {
    check(
        "[kafka.sasl]\npassword = hunter2\n",
        expect![[r#"
        error: not TOML: string values must be quoted, expected literal string
          --> throughline.toml:2:12
           |
         2 | password = ...
           |            ^
    "#]],
    );
}

#[test]
fn sources_are_complete_and_share_no_topic() {
    check(
        "[sources.shop]\ntopics = [\"orders\"]\n[sources.web]\nformats = [\"segmnt\"]\ntime_zone = \"Europe/Berln\"\n\
         [sources.app]\nkind = \"web\"\ntopics = [\"touchpoints.web\", \"experience.scores\"]\nformats = [\"auto\", \"segment\"]\n\
         [sources.crm]\nkind = \"profile\"\ntopics = [\"customers.profile\"]\n[sources.social.names]\n\"Liked\" = \"social.like\"\n",
        expect![[r#"
            error: `sources.shop.topics`: source `shop` has no `kind`
              --> throughline.toml:2:1
               |
             2 | topics = ["orders"]
               | ^^^^^^^^^^^^^^^^^^^
              = help: add `kind`, one of web, social, store, call-centre, partner, survey, profile, consent, catalog

            error: `sources.web.formats`: `segmnt` is not a format
              --> throughline.toml:4:1
               |
             4 | formats = ["segmnt"]
               | ^^^^^^^^^^^^^^^^^^^^
              = help: did you mean `segment`?

            error: `sources.web.time_zone`: `Europe/Berln` is not a time zone; did you mean `Europe/Berlin`?
              --> throughline.toml:5:13
               |
             5 | time_zone = "Europe/Berln"
               |             ^^^^^^^^^^^^^^
              = help: allowed: IANA time zone; may be empty

            error: `sources.app.topics`: topic `experience.scores` is written by this deployment
              --> throughline.toml:8:1
               |
             8 | topics = ["touchpoints.web", "experience.scores"]
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = help: read another one

            error: `sources.app.formats`: `auto` stands alone
              --> throughline.toml:9:1
               |
             9 | formats = ["auto", "segment"]
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = help: list the formats to try, or `auto` alone

            error: `sources.crm.kind`: records of kind `profile` are not read by this version
              --> throughline.toml:11:1
                |
             11 | kind = "profile"
                | ^^^^^^^^^^^^^^^^
              = help: set `enabled = false`, or leave the table out

            error: `sources.social.names.Liked`: `social.like` is not a member
              --> throughline.toml:14:11
                |
             14 | "Liked" = "social.like"
                |           ^^^^^^^^^^^^^
              = help: allowed: one of 83 names such as page.viewed, search.failed, listing.viewed; `throughline config schema` lists them

            error: `sources.web.topics`: topic `touchpoints.web` belongs to source `app` already
              --> default.toml:195 (built in)
              = help: a topic has one source; several formats may share it
        "#]],
    );
}

#[test]
fn nothing_to_read() {
    let off: String = ["web", "social", "store", "call-centre", "partner", "survey"]
        .iter()
        .map(|name| format!("[sources.{name}]\nenabled = false\n"))
        .collect();
    check(
        &off,
        expect![[r#"
        error: `sources`: no source is enabled
          --> derived from the tables [sources.<name>]
          = help: enable one, or name your topics in one
    "#]],
    );
}

#[test]
fn access_is_complete() {
    check(
        "[kafka]\nbrokers = [\"kafka.example:9092\"]\n[kafka.sasl]\nmechanism = \"plain\"\n[kafka.tls]\ncertificate_file = \"c.pem\"\n\
         [registry]\nauth = \"basic\"\nregister = true\n[http]\nlisten = \"0.0.0.0:8088\"\n",
        expect![[r#"
            error: `kafka.sasl.mechanism`: needs `kafka.sasl.username`
              --> throughline.toml:4:1
               |
             4 | mechanism = "plain"
               | ^^^^^^^^^^^^^^^^^^^

            error: `kafka.sasl.mechanism`: needs `kafka.sasl.password` or `kafka.sasl.password_file`
              --> throughline.toml:4:1
               |
             4 | mechanism = "plain"
               | ^^^^^^^^^^^^^^^^^^^

            error: `kafka.sasl.mechanism`: `plain` would send the password readable to another machine
              --> throughline.toml:4:1
               |
             4 | mechanism = "plain"
               | ^^^^^^^^^^^^^^^^^^^
              = help: set `kafka.tls.enabled = true`, or use scram-sha-512

            error: `kafka.tls.certificate_file`: needs `kafka.tls.key_file`
              --> throughline.toml:6:1
               |
             6 | certificate_file = "c.pem"
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^

            error: `kafka.tls.certificate_file`: is set, but TLS is not
              --> throughline.toml:6:1
               |
             6 | certificate_file = "c.pem"
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^
              = help: set `kafka.tls.enabled = true`

            error: `registry.auth`: is set, but there is no registry
              --> throughline.toml:8:1
               |
             8 | auth = "basic"
               | ^^^^^^^^^^^^^^
              = help: set `registry.url`

            error: `registry.register`: is set, but there is no registry
              --> throughline.toml:9:1
               |
             9 | register = true
               | ^^^^^^^^^^^^^^^
              = help: set `registry.url`

            error: `http.listen`: 0.0.0.0:8088 is open to other machines without a token
              --> throughline.toml:11:1
                |
             11 | listen = "0.0.0.0:8088"
                | ^^^^^^^^^^^^^^^^^^^^^^^
              = help: set `http.read_token_file`, `http.metrics_token_file` or both; a role without a token stays closed
        "#]],
    );
    check(
        "[registry]\nurl = \"http://registry:8081\"\nauth = \"bearer\"\n[workers]\nexperience = 64\n[topics]\nmin_in_sync = 2\n",
        expect![[r#"
            error: `registry.auth`: `bearer` needs `registry.token` or `registry.token_file`
              --> throughline.toml:3:1
               |
             3 | auth = "bearer"
               | ^^^^^^^^^^^^^^^

            error: `workers.experience`: 64 workers cannot share 32 partitions
              --> throughline.toml:5:1
               |
             5 | experience = 64
               | ^^^^^^^^^^^^^^^
              = help: workers.experience <= topics.partitions

            error: `topics.min_in_sync`: 2 copies cannot be in sync where there are 1
              --> throughline.toml:7:1
               |
             7 | min_in_sync = 2
               | ^^^^^^^^^^^^^^^
              = help: topics.min_in_sync <= topics.replication
        "#]],
    );
}

#[test]
fn thresholds_leave_a_gap() {
    check(
        "[alerts.experience_low]\nresolves_at = 30\n[alerts.experience_drop]\nopens_at = 0\nhold = 4\n[alerts.severe_moment]\nmode = \"quiet\"\nseverity = \"P2\"\n[alerts.experience_lo]\nmode = \"on\"\n",
        expect![[r#"
            error: `alerts.experience_low.resolves_at`: 30 is not above alerts.experience_low.opens_at (40)
              --> throughline.toml:2:1
               |
             2 | resolves_at = 30
               | ^^^^^^^^^^^^^^^^
              = help: a gap between the two keeps an alert from flapping

            error: `alerts.experience_drop.hold`: unknown key
              --> throughline.toml:5:1
               |
             5 | hold = ...
               | ^^^^
              = help: known here: cooldown, expires, mode, opens_at, resolves_at

            error: `alerts.severe_moment.mode`: `quiet` is not a member
              --> throughline.toml:7:8
               |
             7 | mode = "quiet"
               |        ^^^^^^^
              = help: allowed: one of on, shadow, off

            error: `alerts.severe_moment.severity`: unknown key
              --> throughline.toml:8:1
               |
             8 | severity = ...
               | ^^^^^^^^
              = help: known here: cooldown, expires, mode

            error: `alerts.experience_lo`: unknown key
              --> throughline.toml:9:9
               |
             9 | experience_lo = ...
               | ^^^^^^^^^^^^^
              = help: did you mean `alerts.experience_low`?

            error: `alerts.experience_drop.resolves_at`: -1 is not above alerts.experience_drop.opens_at (0)
              --> default.toml:557 (built in)
              = help: a gap between the two keeps an alert from flapping
        "#]],
    );
}

#[test]
fn what_may_be_held_at_once_must_fit_into_the_memory() {
    check(
        "[limits]\nmemory = \"128MiB\"\n[workers]\nnormalize = 2\nexperience = 2\n",
        expect![[r#"
            error: `limits.memory`: 128MiB is too little: by these settings 576MiB may be held at once beside the customers, and sources wait at 96 MiB
              --> throughline.toml:2:1
               |
             2 | memory = "128MiB"
               | ^^^^^^^^^^^^^^^^^
              = help: raise `limits.memory`, run fewer workers, or lower `kafka.client."queue.buffering.max.kbytes"` (4 x 64MiB), `kafka.client."queued.max.messages.kbytes"` (4 x 32MiB), `commit.overlay` (2 x 64MiB), `limits.catalog` (1 x 64MiB)
        "#]],
    );
}
