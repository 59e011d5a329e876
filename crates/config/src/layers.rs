//! The four layers: defaults, file, environment, flags. Reads each against the table of keys and keeps every mistake.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use toml_edit::{Document, Item, TableLike};

use crate::error::{ConfigError, Origin, Snippet};
use crate::keys::{KEYS, Key, Place, place, siblings};
use crate::kind::{Kind, nearest};
use crate::value::Value;

/// The embedded reference: every key, its default, its words.
pub const DEFAULT_TOML: &str = include_str!("../default.toml");

/// Start of the names of environment variables that set a key.
pub const VARIABLE_PREFIX: &str = "THROUGHLINE__";

/// Path of a key: its segments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPath(pub Vec<String>);

impl KeyPath {
    /// From a path with dots, for the keys of the table.
    #[must_use]
    pub fn of(path: &str) -> Self {
        Self(path.split('.').map(str::to_owned).collect())
    }
}

/// With dots; segments that need it are quoted, as in a file.
impl fmt::Display for KeyPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            if at > 0 {
                out.write_str(".")?;
            }
            write!(out, "{}", toml_edit::Key::new(segment).display_repr())?;
        }
        Ok(())
    }
}

/// A value and where it was set.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// Where it was set.
    pub origin: Origin,
    /// Its place in a file, for errors found later.
    pub(crate) snippet: Option<Snippet>,
}

/// What holds after all layers, by key.
pub type Settings = BTreeMap<KeyPath, Setting>;

/// The configuration as people wrote it: a file, variables, flags. Nothing is read here; the caller did.
#[derive(Debug, Clone, Default)]
pub struct RawConfig {
    /// Name and text of the file, if there is one.
    pub file: Option<(String, String)>,
    /// Variables of the environment; those that do not start with [`VARIABLE_PREFIX`] are ignored.
    pub variables: Vec<(String, String)>,
    /// `key=value` of `--set`.
    pub flags: Vec<String>,
}

impl RawConfig {
    /// Merges the layers. Mistakes are kept and the value of the layer below holds, so that one run reports them all.
    #[must_use]
    pub fn layers(&self) -> (Settings, Vec<ConfigError>) {
        let mut reader = Reader { settings: Settings::new(), errors: Vec::new(), text: DEFAULT_TOML, file: None };
        reader.read_text();
        assert!(reader.errors.is_empty(), "default.toml holds only known keys: {:?}", reader.errors);
        if let Some((name, text)) = &self.file {
            reader.text = text;
            reader.file = Some(name);
            reader.read_text();
        }
        let mut variables: Vec<_> =
            self.variables.iter().filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)).collect();
        variables.sort();
        for (name, text) in variables {
            reader.read_variable(name, text);
        }
        for flag in &self.flags {
            reader.read_flag(flag);
        }
        (reader.settings, reader.errors)
    }
}

struct Reader<'a> {
    settings: Settings,
    errors: Vec<ConfigError>,
    text: &'a str,
    /// Name of the file; none for the defaults.
    file: Option<&'a str>,
}

impl Reader<'_> {
    fn read_text(&mut self) {
        match Document::parse(self.text) {
            Ok(document) => self.read_table(document.as_table(), &mut Vec::new()),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let problem = format!("not TOML: {}", error.message().lines().collect::<Vec<_>>().join(", "));
                self.errors.push(ConfigError {
                    key: String::new(),
                    problem,
                    help: Vec::new(),
                    origin: self.origin(&span),
                    snippet: Some(self.torn_line(&span)),
                });
            }
        }
    }

    fn read_table(&mut self, table: &dyn TableLike, path: &mut Vec<String>) {
        for (name, item) in table.iter() {
            let span = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span()).unwrap_or(0..0);
            path.push(name.to_owned());
            match (place(path), item.as_table_like()) {
                (Place::Table | Place::Rest(_), Some(inner)) => self.read_table(inner, path),
                (Place::Table, None) => self.fail(path, &span, "is a table of keys, not a value", Vec::new()),
                (Place::Key(key), _) => self.read_value(KeyPath(path.clone()), key, item, &span),
                (Place::Rest(key), None) => self.read_value(joined(path, key), key, item, &span),
                (Place::Nothing, _) => {
                    let inner = item.as_table_like().map(|table| table.iter().map(|(name, _)| name).collect());
                    let help = unknown_key_help(path, inner.unwrap_or_default());
                    self.fail(path, &span, "unknown key", help);
                }
            }
            path.pop();
        }
    }

    fn read_value(&mut self, path: KeyPath, key: &Key, item: &Item, span: &Range<usize>) {
        let shown = item.span().filter(|_| shows_value(&key.kind));
        match key.kind.read(item) {
            Ok(value) => {
                let whole = span.start..shown.as_ref().map_or(span.end, |value| value.end);
                let snippet = self.file.map(|_| self.snippet(span, shown.as_ref(), &whole));
                let origin = self.origin(span);
                self.settings.insert(path, Setting { value, origin, snippet });
            }
            Err(problem) => {
                let mark = shown.as_ref().unwrap_or(span);
                let snippet = self.snippet(span, shown.as_ref(), mark);
                let error = ConfigError::new(path.to_string(), self.origin(mark), problem)
                    .with_help(format!("allowed: {}", key.kind.describe()));
                self.errors.push(ConfigError { snippet: Some(snippet), ..error });
            }
        }
    }

    fn fail(&mut self, path: &[String], span: &Range<usize>, problem: &str, help: Vec<String>) {
        self.errors.push(ConfigError {
            key: KeyPath(path.to_vec()).to_string(),
            problem: problem.to_owned(),
            help,
            origin: self.origin(span),
            // The value of an unknown key may be a misspelled secret.
            snippet: Some(self.snippet(span, None, span)),
        });
    }

    fn read_variable(&mut self, name: &str, text: &str) {
        let origin = Origin::Environment { variable: name.to_owned() };
        let path: Vec<String> = name[VARIABLE_PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
        // A variable cannot spell a hyphen or a dot.
        let path = self.respell(path);
        if matches!(place(&path), Place::Key(key) if key.path.ends_with(".*")) {
            let key = KeyPath(path).to_string();
            let error = ConfigError::new(key, origin, "a variable cannot spell the names of this table");
            self.errors.push(error.with_help("set it in a file, or with --set"));
            return;
        }
        self.read_pair(path, text, origin);
    }

    fn read_flag(&mut self, flag: &str) {
        let Some((key, text)) = flag.split_once('=') else {
            let origin = Origin::Flag { flag: "--set".to_owned() };
            self.errors.push(
                ConfigError::new("", origin, format!("`--set {flag}` has no `=`"))
                    .with_help("--set kafka.brokers=host:9092"),
            );
            return;
        };
        let origin = Origin::Flag { flag: format!("--set {}", key.trim()) };
        match toml_edit::Key::parse(key.trim()) {
            Ok(path) => self.read_pair(path.iter().map(|key| key.get().to_owned()).collect(), text, origin),
            Err(_) => self.errors.push(ConfigError::new(key.trim(), origin, "not a key")),
        }
    }

    fn read_pair(&mut self, path: Vec<String>, text: &str, origin: Origin) {
        let (path, key) = match place(&path) {
            Place::Key(key) => (KeyPath(path), key),
            Place::Rest(key) => (joined(&path, key), key),
            Place::Table => {
                let error = ConfigError::new(KeyPath(path).to_string(), origin, "is a table of keys, not a value");
                self.errors.push(error);
                return;
            }
            Place::Nothing => {
                let help = unknown_key_help(&path, Vec::new());
                let error = ConfigError::new(KeyPath(path).to_string(), origin, "unknown key");
                self.errors.push(ConfigError { help, ..error });
                return;
            }
        };
        match key.kind.read_text(text) {
            Ok(value) => {
                self.settings.insert(path, Setting { value, origin, snippet: None });
            }
            Err(problem) => self.errors.push(
                ConfigError::new(path.to_string(), origin, problem)
                    .with_help(format!("allowed: {}", key.kind.describe())),
            ),
        }
    }

    /// Finds the spelling that a variable meant: `CALL_CENTRE` is `call-centre` where such a source exists, and a setting of
    /// librdkafka has dots.
    fn respell(&self, mut path: Vec<String>) -> Vec<String> {
        if path.len() > 2 && path[0] == "kafka" && path[1] == "client" {
            path[2] = path[2].replace('_', ".");
        }
        if path.len() > 1 && path[0] == "sources" {
            let known = self.settings.keys().find_map(|key| match key.0.as_slice() {
                [first, name, ..]
                    if first == "sources" && name.to_ascii_lowercase().replace(['-', '.'], "_") == path[1] =>
                {
                    Some(name.clone())
                }
                _ => None,
            });
            if let Some(name) = known {
                path[1] = name;
            }
        }
        path
    }

    fn origin(&self, span: &Range<usize>) -> Origin {
        let (line, start) = line_of(self.text, span.start);
        match self.file {
            None => Origin::Default { line },
            Some(file) => {
                let column = self.text[start..span.start].chars().count() + 1;
                Origin::File { file: file.to_owned(), line, column }
            }
        }
    }

    /// A key and perhaps its value, with a mark under one of them. Never the rest of the line: an inline table may hold a
    /// secret beside the mistake.
    fn snippet(&self, key: &Range<usize>, value: Option<&Range<usize>>, mark: &Range<usize>) -> Snippet {
        let Some(value) = value else {
            let line = format!("{} = ...", &self.text[key.clone()]);
            return Snippet { line, indent: 0, width: self.text[key.clone()].chars().count() };
        };
        let line = self.text[key.start..value.end.max(key.end)].lines().next().unwrap_or_default().to_owned();
        let indent = self.text[key.start..mark.start].chars().count();
        let width = self.text[mark.clone()].lines().next().unwrap_or_default().chars().count();
        // A value that starts on a later line is not in the picture; its key is.
        if indent + width > line.chars().count() {
            return Snippet { indent: 0, width: self.text[key.clone()].chars().count(), line };
        }
        Snippet { line, indent, width }
    }

    /// The line of a mistake that made the text unreadable, cut where it may hold a secret.
    fn torn_line(&self, span: &Range<usize>) -> Snippet {
        let (_, start) = line_of(self.text, span.start);
        let whole = self.text[start..].lines().next().unwrap_or_default();
        let name = whole.to_ascii_lowercase();
        let secret = ["pass", "secret", "token", "key"].iter().any(|word| name.contains(word));
        let indent = self.text[start..span.start].chars().count();
        match whole.split_once('=') {
            Some((key, _)) if secret => {
                Snippet { line: format!("{key}= ..."), indent: indent.min(key.len() + 2), width: 1 }
            }
            _ => {
                let stop = span.end.clamp(span.start, start + whole.len());
                Snippet { line: whole.to_owned(), indent, width: self.text[span.start..stop].chars().count() }
            }
        }
    }
}

/// Line (from 1) of a byte offset, and the offset where that line starts.
fn line_of(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |newline| newline + 1))
}

/// A secret is never printed, and an address may hold one by mistake.
const fn shows_value(kind: &Kind) -> bool {
    !matches!(kind, Kind::Secret | Kind::Url | Kind::Setting)
}

/// The path of a key whose last segment has dots.
fn joined(path: &[String], key: &Key) -> KeyPath {
    let parents = key.path.split('.').count() - 1;
    let mut segments = path[..parents].to_vec();
    segments.push(path[parents..].join("."));
    KeyPath(segments)
}

fn unknown_key_help(path: &[String], inner: Vec<&str>) -> Vec<String> {
    let last = path.last().map_or("", String::as_str);
    if let Some(hint) = inner.into_iter().chain([last]).find_map(refused_by_design) {
        return vec![hint.to_owned()];
    }
    let names = siblings(path);
    if let Some(name) = nearest(last, names.iter().copied()) {
        let mut meant = path.to_vec();
        *meant.last_mut().expect("a path has a last segment") = name.to_owned();
        return vec![format!("did you mean `{}`?", KeyPath(meant))];
    }
    // The right name at the wrong place.
    let elsewhere = KEYS.iter().map(|key| key.path).find(|path| path.rsplit('.').next() == Some(last));
    if let Some(place) = elsewhere {
        return vec![format!("there is `{place}`")];
    }
    if names.is_empty() { Vec::new() } else { vec![format!("known here: {}", names.join(", "))] }
}

/// What people look for and will not find, with the reason.
pub(crate) fn refused_by_design(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    if (name.contains("share") && !name.contains("rejected")) || name == "attribution" {
        return Some(
            "the brand answers in full for what its partners do; no key takes that share away, and entities are scored beside it",
        );
    }
    if name.contains("verif") || name.contains("insecure") {
        return Some("certificates and host names are always verified; name your own authority with `ca_file`");
    }
    if name.contains("exactly_once") || name == "delivery" || name == "guarantee" {
        return Some("exactly-once is how every commit works; it is not an option");
    }
    None
}
