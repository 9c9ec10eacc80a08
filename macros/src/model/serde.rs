//! How serde writes a struct: the names of its fields, and what of it is no plain object.

/// What `#[serde(…)]` says of a struct.
pub(crate) struct Serde {
    /// Why its JSON has no field for each of its fields, if it has not: "`flatten`".
    pub(crate) shape: Option<Shape>,
    pub(crate) deny_unknown_fields: bool,
    pub(crate) fields: Vec<SerdeField>,
}

/// What keeps the JSON of a struct from being an object with its fields.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Its fields have no names.
    Unnamed,
    /// Another word of serde's: `flatten`, `transparent`, `from`.
    Word(&'static str),
}

/// What `#[serde(…)]` says of a field.
pub(crate) struct SerdeField {
    /// The name in the JSON, if the field has one.
    pub(crate) name: Option<String>,
    /// The other names by which it is read.
    pub(crate) aliases: Vec<String>,
    /// Whether serde fills it where it is absent.
    pub(crate) default: bool,
    /// Whether it may fill it with another default than its type's: with the struct's, or by a function.
    pub(crate) own_default: bool,
    /// The word by which serde reads it otherwise than its type does: `with`.
    pub(crate) custom: Option<&'static str>,
    /// The word by which it is not stored: `skip`.
    pub(crate) skip: Option<&'static str>,
}
