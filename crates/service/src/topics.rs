//! Topics of a deployment on a cluster: compared, created, corrected.

use std::time::{Duration, Instant};

use throughline_config::Config;
use throughline_config::topics::{TopicFound, TopicSpec, TopicStep, compare};
use throughline_kafka::admin::{Admin, AdminError};

use crate::error::ServiceError;
use crate::wiring;

const TIMEOUT: Duration = Duration::from_secs(20);

/// What would have to be done, topic by topic.
///
/// # Errors
/// If no broker answers, or it is another cluster than the one that is meant.
pub async fn steps(config: &Config, wanted: &[TopicSpec]) -> Result<Vec<TopicStep>, ServiceError> {
    let admin = admin(config)?;
    let names: Vec<&str> = wanted.iter().map(|spec| spec.name.as_str()).collect();
    let found: Vec<TopicFound> = admin
        .find(&names)
        .await
        .map_err(unreachable)?
        .into_iter()
        .map(|found| TopicFound {
            name: found.name,
            partitions: found.partitions,
            replication: found.replication,
            settings: found.settings,
        })
        .collect();
    Ok(compare(wanted, &found))
}

/// Creates what is missing and corrects settings. Refuses everything if one topic must not be changed.
///
/// # Errors
/// If a topic differs in a way that nobody may change, or the brokers refuse.
pub async fn apply(config: &Config, steps: &[TopicStep]) -> Result<(), ServiceError> {
    let refused: Vec<String> = steps
        .iter()
        .filter_map(|step| match step {
            TopicStep::Refuse { name, problem } => Some(format!("{name} {problem}")),
            _ => None,
        })
        .collect();
    if !refused.is_empty() {
        return Err(ServiceError::Mismatch(refused.join("; ")));
    }
    let admin = admin(config)?;
    let missing: Vec<throughline_kafka::admin::TopicSpec> = steps
        .iter()
        .filter_map(|step| match step {
            TopicStep::Create(spec) => Some(throughline_kafka::admin::TopicSpec {
                name: spec.name.clone(),
                partitions: spec.partitions,
                replication: spec.replication,
                settings: spec.settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            }),
            _ => None,
        })
        .collect();
    if !missing.is_empty() {
        admin.create(&missing).await.map_err(refusal)?;
        wait_until_known(&admin, &missing).await?;
    }
    for step in steps {
        if let TopicStep::Alter { name, settings } = step {
            let found = admin.find(&[name]).await.map_err(unreachable)?;
            let changes: Vec<(&str, String)> =
                settings.iter().map(|(setting, _, wanted)| (*setting, wanted.clone())).collect();
            for topic in &found {
                admin.alter(topic, &changes).await.map_err(refusal)?;
            }
        }
    }
    Ok(())
}

/// Brokers hear of a topic a moment after it was created; whoever runs next must not find it missing.
async fn wait_until_known(admin: &Admin, created: &[throughline_kafka::admin::TopicSpec]) -> Result<(), ServiceError> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let known = admin.partitions().map_err(unreachable)?;
        let unknown = created.iter().filter(|topic| !known.contains_key(&topic.name)).count();
        if unknown == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(ServiceError::Unreachable(format!(
                "the brokers do not know {unknown} of the topics just created"
            )));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn admin(config: &Config) -> Result<Admin, ServiceError> {
    let client = wiring::client(&config.kafka)?;
    let admin = Admin::new(&client, TIMEOUT).map_err(refusal)?;
    same_cluster(config.kafka.cluster_id.as_deref(), &admin)?;
    Ok(admin)
}

/// Refuses any cluster but the one that is meant (`kafka.cluster_id`); without one every cluster is.
///
/// # Errors
/// If it is another one.
pub fn same_cluster(meant: Option<&str>, admin: &Admin) -> Result<(), ServiceError> {
    let Some(meant) = meant else { return Ok(()) };
    let found = admin.cluster_id();
    if found.as_deref() == Some(meant) {
        return Ok(());
    }
    let found = found.as_deref().unwrap_or("nothing");
    Err(ServiceError::Mismatch(format!("kafka.cluster_id is {meant}, the brokers say {found}")))
}

fn unreachable(error: AdminError) -> ServiceError {
    ServiceError::Unreachable(error.to_string())
}

fn refusal(error: AdminError) -> ServiceError {
    ServiceError::Unexpected(error.to_string())
}
