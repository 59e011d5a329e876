//! `throughline demo`: a whole deployment in this process, a story in real vendor formats, and the proof at the end.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use throughline_config::vocabulary::Topic;
use throughline_config::{Config, RawConfig, Surroundings};
use throughline_service::demo::{Demo, Stand};
use throughline_service::{Rules, ServiceError};

use crate::arguments::DemoArguments;
use crate::context::Context;
use crate::demo::story::story;
use crate::exit::Exit;

/// The same story every time.
const SEED: u64 = 7;
/// The end of the story leaves time for its last outputs.
const TAIL: Duration = Duration::from_secs(3);
/// How long one telling of the story takes at its own pace.
const STORY: Duration = Duration::from_secs(20);
/// How long the service may take to serve.
const READY: Duration = Duration::from_secs(20);

/// Runs the command.
///
/// # Errors
/// If the runtime cannot be started.
pub fn run(arguments: &DemoArguments, context: &Context) -> Result<Exit> {
    let (config, rules) = match configuration(arguments, None) {
        Ok(found) => found,
        Err(errors) => {
            context.talk_errors(&errors);
            return Ok(Exit::Configuration);
        }
    };
    throughline_service::logs::start(&config.log);
    let stand = match Stand::start(&config) {
        Ok(stand) => stand,
        Err(error) => return Ok(super::run::ended(Err(error), context)),
    };
    let Ok((config, _)) = configuration(arguments, Some(&stand.bootstrap())) else {
        return Ok(Exit::Unexpected);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the runtime")?;
    let result = runtime.block_on(async {
        let demo = Demo::start(&config, rules).await?;
        let told = Telling::new(context).tell(&demo, Duration::from_secs(arguments.seconds));
        demo.stop().await?;
        told
    });
    runtime.shutdown_background();
    match result {
        Ok(seen) => Ok(proof(&seen, context)),
        Err(error) => Ok(super::run::ended(Err(error), context)),
    }
}

fn configuration(
    arguments: &DemoArguments,
    brokers: Option<&str>,
) -> Result<(Config, Rules), Vec<throughline_config::ConfigError>> {
    let mut flags = vec![
        "application=demo".to_owned(),
        "tenant=demo".to_owned(),
        "topics.partitions=4".to_owned(),
        "workers.normalize=1".to_owned(),
        "workers.experience=1".to_owned(),
        // Brokers in memory do not tell who a topic is.
        "state.warm=0s".to_owned(),
        "log.level=error".to_owned(),
        format!("http.listen=127.0.0.1:{}", arguments.port),
    ];
    flags.extend(brokers.map(|brokers| format!("kafka.brokers={brokers}")));
    let raw = RawConfig { file: None, variables: Vec::new(), flags };
    let mut config = raw.resolve(&Surroundings::new(NonZeroU32::MIN))?;
    let rules = config.rules(None)?;
    Ok((config, rules))
}

/// What was seen by a subscriber.
#[derive(Default)]
struct Seen {
    scores: u64,
    alerts: BTreeMap<String, u64>,
    first: Option<Value>,
    lowest: Option<(f64, String)>,
    dead_letters: u64,
}

struct Telling<'c> {
    context: &'c Context,
    seen: Seen,
    scores: BTreeMap<String, f64>,
}

impl<'c> Telling<'c> {
    fn new(context: &'c Context) -> Self {
        Self { context, seen: Seen::default(), scores: BTreeMap::new() }
    }

    fn tell(mut self, demo: &Demo, length: Duration) -> Result<Seen, ServiceError> {
        let began = Instant::now();
        while !demo.is_ready() {
            if began.elapsed() > READY {
                return Err(ServiceError::Unexpected("the service did not get ready".to_owned()));
            }
            self.hear(demo, Duration::from_millis(20))?;
        }
        if let Some(address) = demo.address() {
            self.context.output.talk(format_args!(
                "throughline demo: one process, brokers in memory, {} s\n\
                 customers and alerts: http://{address}/v1/customers  http://{address}/v1/alerts\n\
                 metrics and health:   http://{address}/metrics  http://{address}/health/ready\n",
                length.as_secs()
            ));
        }
        let start = Instant::now();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start_millis = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        let told_until = length.saturating_sub(TAIL);
        // A short demo tells the whole story faster.
        let pace = (told_until.as_secs_f64() / STORY.as_secs_f64()).min(1.0);
        for record in story(start_millis, SEED) {
            let at = Duration::from_millis(record.after_ms).mul_f64(pace);
            if at > told_until {
                break;
            }
            while start.elapsed() < at {
                self.hear(demo, (at - start.elapsed().min(at)).min(Duration::from_millis(50)))?;
            }
            if !record.says.is_empty() && !self.context.output.json {
                let source = record.source;
                self.print(format_args!("\n{:>5.1} s  {}  [{source}]", at.as_secs_f64(), record.says))?;
            }
            let headers: Vec<(&str, &str)> =
                record.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            demo.send(record.source, &record.key, &headers, &record.value)?;
        }
        while start.elapsed() < length {
            self.hear(demo, Duration::from_millis(50))?;
        }
        Ok(self.seen)
    }

    fn hear(&mut self, demo: &Demo, wait: Duration) -> Result<(), ServiceError> {
        let Some((topic, record)) = demo.next(wait)? else { return Ok(()) };
        let value: Value = record.value.as_deref().map_or(Value::Null, |bytes| {
            serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
        });
        let key = record.key.as_deref().map(|key| String::from_utf8_lossy(key).into_owned());
        if self.context.output.json {
            let headers: serde_json::Map<String, Value> = record
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), Value::String(String::from_utf8_lossy(value).into_owned())))
                .collect();
            let object = json!({"topic": record.topic, "key": key, "headers": headers, "value": value});
            self.context.output.object(&object).map_err(io)?;
        }
        match topic {
            Topic::Scores => self.score(&key.unwrap_or_default(), &value),
            Topic::Alerts => self.alert(value),
            _ => {
                self.seen.dead_letters += 1;
                Ok(())
            }
        }
    }

    fn score(&mut self, key: &str, value: &Value) -> Result<(), ServiceError> {
        self.seen.scores += 1;
        let Some(now) = value["relationship"].as_f64() else { return Ok(()) };
        let before = self.scores.insert(key.to_owned(), now).unwrap_or(60.0);
        if self.seen.lowest.as_ref().is_none_or(|(lowest, _)| now < *lowest) {
            self.seen.lowest = Some((now, key.to_owned()));
        }
        // Ordinary customers move by little; a person watching wants to see what matters.
        if !self.context.output.json && (now - before).abs() >= 4.0 {
            let reason = value["reasons"][0]["code"].as_str().unwrap_or("no evidence");
            self.print(format_args!("         score {}  {before:.1} -> {now:.1}  mostly {reason}", short(key)))?;
        }
        Ok(())
    }

    fn alert(&mut self, value: Value) -> Result<(), ServiceError> {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        if text("transition") == "opened" {
            *self.seen.alerts.entry(text("type")).or_insert(0) += 1;
        }
        if !self.context.output.json {
            let why = value["reasons"][0]["text"].as_str().unwrap_or_default();
            self.print(format_args!(
                "  ALERT  {} {} {} for {}  {why}",
                text("severity"),
                text("type"),
                text("transition"),
                short(value["customer_id"].as_str().unwrap_or_default())
            ))?;
        }
        if self.seen.first.is_none() {
            self.seen.first = Some(value);
        }
        Ok(())
    }

    fn print(&self, line: impl std::fmt::Display) -> Result<(), ServiceError> {
        self.context.output.line(line).map_err(io)
    }
}

fn io(error: std::io::Error) -> ServiceError {
    ServiceError::Unexpected(error.to_string())
}

fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

/// Proves that an alert fired, and says what to do next.
fn proof(seen: &Seen, context: &Context) -> Exit {
    let output = context.output;
    let alerts: Vec<String> = seen.alerts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    output.talk(format_args!(
        "\nseen by a subscriber of the topics: {} scores, {} dead letters, alerts: {}",
        seen.scores,
        seen.dead_letters,
        if alerts.is_empty() { "none".to_owned() } else { alerts.join(", ") }
    ));
    let Some(first) = &seen.first else {
        output.talk("no alert fired: this is a fault of the demo, please report it");
        return Exit::Unexpected;
    };
    output.talk(format_args!(
        "proof: alert {} ({}) opened because of touchpoint {}",
        first["alert_id"].as_str().unwrap_or_default(),
        first["type"].as_str().unwrap_or_default(),
        first["reasons"][0]["touchpoint_id"].as_str().unwrap_or_default()
    ));
    output.talk(
        "\nnext:\n  throughline try --source web YOUR_EXPORT.json   your own records, no broker\n  \
         throughline config default > throughline.toml  the commented configuration\n  \
         throughline check && throughline topics apply  then: throughline run, beside your Kafka\n\
         the brokers of this demo are a mock inside the process: exactly-once needs a real Kafka",
    );
    Exit::Ok
}
