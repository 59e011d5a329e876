//! The routing file: which queue, mail group or on-call a role is, in general and for single entities.

use std::collections::BTreeMap;

use toml_edit::{Document, Item};

use crate::error::{ConfigError, Origin};

/// Roles to targets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routing {
    roles: BTreeMap<String, String>,
    entities: BTreeMap<String, BTreeMap<String, String>>,
}

impl Routing {
    /// Reads a file with `[roles]` and `[entities."store:12"]`, each `role = "target"`.
    ///
    /// # Errors
    /// Every mistake at once.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<ConfigError>> {
        let place = |at: Option<std::ops::Range<usize>>| {
            let before = &text[..at.map_or(0, |at| at.start)];
            let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
            Origin::File { file: file.to_owned(), line: before.matches('\n').count() + 1, column }
        };
        let document = Document::parse(text).map_err(|error| {
            vec![ConfigError::new("", place(error.span()), format!("not TOML: {}", error.message()))]
        })?;
        let mut routing = Self::default();
        let mut errors = Vec::new();
        for (name, item) in document.as_table() {
            match (name, item.as_table_like()) {
                ("roles", Some(_)) => read_roles(name, item, &mut routing.roles, &place, &mut errors),
                ("entities", Some(entities)) => {
                    for (entity, item) in entities.iter() {
                        let path = format!("entities.\"{entity}\"");
                        let roles = routing.entities.entry(entity.to_owned()).or_default();
                        read_roles(&path, item, roles, &place, &mut errors);
                    }
                }
                _ => {
                    let span = document.as_table().key(name).and_then(toml_edit::Key::span);
                    let error = ConfigError::new(name, place(span), "unknown table");
                    errors.push(error.with_help("a routing file has `[roles]` and `[entities.\"kind:id\"]`"));
                }
            }
        }
        if errors.is_empty() { Ok(routing) } else { Err(errors) }
    }

    /// Target of a role for an entity (`store:12`), else its target in general.
    #[must_use]
    pub fn target(&self, role: &str, entity: &str) -> Option<&str> {
        let own = self.entities.get(entity).and_then(|roles| roles.get(role));
        own.or_else(|| self.roles.get(role)).map(String::as_str)
    }
}

fn read_roles(
    path: &str,
    item: &Item,
    roles: &mut BTreeMap<String, String>,
    place: &dyn Fn(Option<std::ops::Range<usize>>) -> Origin,
    errors: &mut Vec<ConfigError>,
) {
    let Some(table) = item.as_table_like() else {
        errors.push(ConfigError::new(path, place(item.span()), "is a table of roles, not a value"));
        return;
    };
    for (role, target) in table.iter() {
        match target.as_str() {
            Some(target) if !target.is_empty() => {
                roles.insert(role.to_owned(), target.to_owned());
            }
            _ => {
                let error =
                    ConfigError::new(format!("{path}.{role}"), place(target.span()), "is not the name of a target");
                errors.push(error.with_help("text such as \"queue:care\""));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_goes_before_the_general_target() {
        let text = "[roles]\nlead = \"mail:leads\"\n[entities.\"store:12\"]\nlead = \"mail:store-12\"\n";
        let routing = Routing::parse("routing.toml", text).expect("the text is valid");
        assert_eq!(routing.target("lead", "store:12"), Some("mail:store-12"));
        assert_eq!(routing.target("lead", "store:13"), Some("mail:leads"));
        assert_eq!(routing.target("pr", "store:12"), None);
    }

    #[test]
    fn mistakes_are_told_together() {
        let errors = Routing::parse("routing.toml", "[role]\n[roles]\nlead = 4\n").expect_err("the text is bad");
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2);
        assert!(told[1].contains("routing.toml:3:8"), "{told:?}");
    }
}
