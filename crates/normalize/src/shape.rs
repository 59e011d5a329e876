//! What a payload looks like from outside: the facts formats recognize themselves by.

/// Top-level facts of a JSON document, read in one pass without building it.
#[derive(Debug, Clone, Default)]
pub struct Shape<'a> {
    /// Names of the top-level members, in order.
    pub keys: Vec<&'a str>,
    /// Values of top-level members that are short strings (type, event, object, eventType, detail-type, ...).
    pub strings: Vec<(&'a str, &'a str)>,
    /// Names of the members of the first nested object under well-known envelopes (`detail`, `order`, `payload`, ...).
    pub nested: Vec<(&'a str, Vec<&'a str>)>,
    /// The text is not JSON but tab-separated with this many columns.
    pub columns: usize,
    /// The text is XML.
    pub xml: bool,
}

impl Shape<'_> {
    /// Whether a top-level member of that name exists.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains(&key)
    }

    /// Value of a top-level member that is a short string.
    #[must_use]
    pub fn string(&self, key: &str) -> Option<&str> {
        self.strings.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// Whether the object under `key` has a member of that name.
    #[must_use]
    pub fn has_nested(&self, key: &str, member: &str) -> bool {
        self.nested.iter().any(|(name, members)| *name == key && members.contains(&member))
    }
}
