//! Which crate may depend on which. The list is the table in `ARCHITECTURE.md`; a new arrow is a decision, not an edit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use super::Finding;

/// A crate of ours.
struct Rule {
    /// Package name without `throughline-`; the binary's package is `throughline`.
    name: &'static str,
    /// Crates of ours that it may depend on.
    may: &'static [&'static str],
    /// Pure: no clock, no threads, and nothing of [`NEVER_BELOW_PURE`] anywhere below, tests included.
    pure: bool,
}

const fn pure(name: &'static str, may: &'static [&'static str]) -> Rule {
    Rule { name, may, pure: true }
}

const fn edge(name: &'static str, may: &'static [&'static str]) -> Rule {
    Rule { name, may, pure: false }
}

const PURE: &[&str] = &["model", "codec", "normalize", "identity", "experience", "entity", "worker", "pipeline"];

const RULES: &[Rule] = &[
    pure("model", &[]),
    pure("codec", &["model"]),
    pure("normalize", &["model", "codec"]),
    pure("identity", &["model"]),
    pure("experience", &["model", "identity"]),
    pure("entity", &["model"]),
    pure("worker", &["model"]),
    pure("pipeline", &["model", "codec", "normalize", "identity", "experience", "entity", "worker"]),
    edge("kafka", &["model", "worker"]),
    edge("view", &["model", "experience", "entity"]),
    edge("api", &["model", "view"]),
    edge("config", PURE),
    edge(
        "service",
        &[
            "model",
            "codec",
            "normalize",
            "identity",
            "experience",
            "entity",
            "worker",
            "pipeline",
            "kafka",
            "view",
            "api",
            "config",
        ],
    ),
    edge("throughline", &["service", "config", "pipeline"]),
    edge("testkit", PURE),
    pure("stages", PURE),
    edge("xtask", &["config", "pipeline", "testkit"]),
];

/// Programs that measure or drive the whole may use any crate.
const FREE: &[&str] = &["benches"];

/// A cold build of rdkafka takes minutes, the tests of a pure crate take seconds; and what is pure does not log, count or serve.
const NEVER_BELOW_PURE: &[&str] = &["rdkafka", "rdkafka-sys", "tokio", "axum", "prometheus"];

/// Crates of others that only some of ours may name directly.
const RESERVED: &[(&str, &[&str])] = &[
    ("rdkafka", &["kafka", "service", "throughline", "benches"]),
    ("anyhow", &["service", "throughline", "xtask", "benches"]),
    ("clap", &["throughline", "xtask", "benches"]),
    ("axum", &["api", "service"]),
    ("prometheus", &["kafka", "view", "api", "service"]),
    ("tracing", &["kafka", "view", "api", "service", "throughline"]),
];

/// One dependency as a manifest states it.
#[derive(Debug, Clone)]
struct Arrow {
    from: String,
    to: String,
    /// For tests only.
    dev: bool,
}

/// What the rules look at: the arrows of our manifests, and every package below each of our crates.
#[derive(Debug, Default)]
struct Graph {
    ours: BTreeSet<String>,
    arrows: Vec<Arrow>,
    below: BTreeMap<String, BTreeSet<String>>,
}

/// Checks the arrows of the workspace.
pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let metadata = MetadataCommand::new().current_dir(root).exec().context("failed to read the workspace")?;
    Ok(judge(&Graph::read(&metadata)))
}

fn judge(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in &graph.ours {
        if FREE.contains(&name.as_str()) {
            continue;
        }
        let path = manifest(name);
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            findings.push(Finding::new(
                &path,
                0,
                "this crate is not in the list of allowed arrows (xtask, tidy/arrows.rs)",
            ));
            continue;
        };
        findings.extend(judge_crate(graph, rule, &path));
    }
    findings
}

fn judge_crate(graph: &Graph, rule: &Rule, path: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for arrow in graph.arrows.iter().filter(|arrow| arrow.from == rule.name) {
        let to = arrow.to.as_str();
        if graph.ours.contains(to) {
            let for_tests = arrow.dev && (to == "testkit" || (!rule.pure && PURE.contains(&to)));
            if !rule.may.contains(&to) && !for_tests {
                findings.push(Finding::new(path, 0, format!("{} may not depend on {to}", rule.name)));
            }
        } else if !arrow.dev && RESERVED.iter().any(|(reserved, users)| *reserved == to && !users.contains(&rule.name))
        {
            findings.push(Finding::new(path, 0, format!("{} may not depend on {to}", rule.name)));
        }
    }
    if rule.pure {
        let below = graph.below.get(rule.name).into_iter().flatten();
        for package in below.filter(|package| NEVER_BELOW_PURE.contains(&package.as_str())) {
            findings.push(Finding::new(path, 0, format!("{} is pure and has {package} below it", rule.name)));
        }
    }
    findings
}

impl Graph {
    fn read(metadata: &Metadata) -> Self {
        let mut graph = Self::default();
        let members: BTreeSet<_> = metadata.workspace_members.iter().collect();
        let names: BTreeMap<_, _> =
            metadata.packages.iter().map(|package| (&package.id, short(&package.name))).collect();
        let mut edges: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
            // The tests of a crate of others are not built.
            let built = |kind: DependencyKind| kind != DependencyKind::Development || members.contains(&node.id);
            let to = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| built(kind.kind)));
            edges.insert(&node.id, to.map(|dep| &dep.pkg).collect());
        }
        for package in metadata.packages.iter().filter(|package| members.contains(&package.id)) {
            let name = short(&package.name);
            for dependency in &package.dependencies {
                let dev = dependency.kind == DependencyKind::Development;
                graph.arrows.push(Arrow { from: name.clone(), to: short(&dependency.name), dev });
            }
            let mut seen = BTreeSet::new();
            let mut open = vec![&package.id];
            while let Some(id) = open.pop() {
                if seen.insert(id) {
                    open.extend(edges.get(id).into_iter().flatten().copied());
                }
            }
            let below = seen.into_iter().filter_map(|id| names.get(id).cloned()).collect();
            graph.below.insert(name.clone(), below);
            graph.ours.insert(name);
        }
        graph
    }
}

fn short(package: &str) -> String {
    package.strip_prefix("throughline-").unwrap_or(package).to_owned()
}

fn manifest(name: &str) -> String {
    match name {
        "throughline" => "crates/cli/Cargo.toml".to_owned(),
        "benches" => "benches/Cargo.toml".to_owned(),
        "stages" => "benches/stages/Cargo.toml".to_owned(),
        name => format!("crates/{name}/Cargo.toml"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(arrows: &[(&str, &str, bool)], below: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        graph.ours.extend(["model", "worker", "kafka", "testkit"].map(str::to_owned));
        for &(from, to, dev) in arrows {
            graph.arrows.push(Arrow { from: from.to_owned(), to: to.to_owned(), dev });
        }
        for &(from, package) in below {
            graph.below.entry(from.to_owned()).or_default().insert(package.to_owned());
        }
        graph
    }

    fn texts(graph: &Graph) -> Vec<String> {
        judge(graph).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn allowed_arrows_pass() {
        let graph = graph(&[("worker", "model", false), ("kafka", "worker", false), ("worker", "testkit", true)], &[]);
        assert_eq!(texts(&graph), Vec::<String>::new());
    }

    #[test]
    fn a_backward_arrow_is_found() {
        assert_eq!(texts(&graph(&[("model", "worker", false)], &[])), ["model may not depend on worker"]);
    }

    #[test]
    fn production_never_uses_testkit() {
        assert_eq!(texts(&graph(&[("kafka", "testkit", false)], &[])), ["kafka may not depend on testkit"]);
    }

    #[test]
    fn a_pure_crate_has_no_kafka_client_anywhere_below() {
        let texts = texts(&graph(&[], &[("worker", "rdkafka-sys"), ("kafka", "rdkafka")]));
        assert_eq!(texts, ["worker is pure and has rdkafka-sys below it"]);
    }

    #[test]
    fn a_reserved_crate_is_named_where_it_belongs() {
        assert_eq!(texts(&graph(&[("worker", "anyhow", false)], &[])), ["worker may not depend on anyhow"]);
    }

    #[test]
    fn an_unlisted_crate_is_found() {
        let mut graph = graph(&[], &[]);
        graph.ours.insert("extras".to_owned());
        assert_eq!(judge(&graph).len(), 1);
    }
}
