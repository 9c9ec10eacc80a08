//! `#[serde(…)]`, as far as it decides under which name a field is stored.
//!
//! It reports nothing: what is wrong there, serde says.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, LitStr, Member, Token};

use crate::model::item::{Item, Kind};
use crate::model::serde::{Serde, SerdeField, Shape};
use crate::parse::item::Attributes;

/// The case that `rename_all` gives to names.
#[derive(Clone, Copy)]
enum Case {
    Upper,
    Pascal,
    Camel,
    Kebab,
    UpperKebab,
}

pub(crate) fn parse(item: &Item, attributes: &Attributes) -> Serde {
    let mut case = None;
    let mut shape = None;
    let (mut deny_unknown_fields, mut all_default) = (false, false);
    each_option(&attributes.item, |word, meta| {
        match word {
            "rename_all" => case = deserialized(meta)?.as_deref().and_then(case_of),
            "transparent" => shape = Some(Shape::Word("transparent")),
            "from" => shape = Some(Shape::Word("from")),
            "try_from" => shape = Some(Shape::Word("try_from")),
            "into" => shape = Some(Shape::Word("into")),
            "deny_unknown_fields" => deny_unknown_fields = true,
            "default" => all_default = true,
            _ => {}
        }
        Ok(())
    });
    let mut fields = Vec::new();
    for (field, above) in item.fields.iter().zip(&attributes.fields) {
        let (mut renamed, mut is_flat) = (None, false);
        let mut read = SerdeField {
            name: None,
            aliases: Vec::new(),
            default: all_default,
            own_default: all_default,
            custom: None,
            skip: None,
        };
        each_option(above, |word, meta| {
            match word {
                "rename" => renamed = deserialized(meta)?,
                "flatten" => is_flat = true,
                "alias" => read.aliases.push(meta.value()?.parse::<LitStr>()?.value()),
                "default" => {
                    read.default = true;
                    read.own_default = meta.input.peek(Token![=]);
                }
                "with" => read.custom = Some("with"),
                "deserialize_with" => read.custom = Some("deserialize_with"),
                "skip" => read.skip = Some("skip"),
                "skip_deserializing" => read.skip = Some("skip_deserializing"),
                _ => {}
            }
            Ok(())
        });
        if is_flat {
            shape = Some(Shape::Word("flatten"));
        }
        if let Member::Named(name) = &field.member {
            let name = syn::ext::IdentExt::unraw(name).to_string();
            read.name = Some(renamed.unwrap_or_else(|| match case {
                Some(case) => in_case(case, &name),
                None => name,
            }));
        }
        fields.push(read);
    }
    if item.kind == Kind::Struct && !item.braced {
        shape = shape.or(Some(Shape::Unnamed));
    }
    Serde { shape, deny_unknown_fields, fields }
}

/// Calls `read` with each option of each `#[serde(…)]`; what it leaves of an option's value is passed over.
fn each_option(
    attributes: &[Attribute],
    mut read: impl FnMut(&str, &ParseNestedMeta<'_>) -> syn::Result<()>,
) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        let _ = attribute.parse_nested_meta(|meta| {
            if let Some(word) = meta.path.get_ident() {
                read(&word.to_string(), &meta)?;
            }
            if meta.input.peek(Token![=]) {
                meta.value()?.parse::<Expr>()?;
            } else if meta.input.peek(syn::token::Paren) {
                meta.parse_nested_meta(|inner| {
                    if inner.input.peek(Token![=]) {
                        inner.value()?.parse::<Expr>()?;
                    }
                    Ok(())
                })?;
            }
            Ok(())
        });
    }
}

/// `= "name"`, or the second of `(serialize = "…", deserialize = "name")`: the name that is read.
fn deserialized(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<String>> {
    if meta.input.peek(Token![=]) {
        return Ok(Some(meta.value()?.parse::<LitStr>()?.value()));
    }
    let mut name = None;
    meta.parse_nested_meta(|inner| {
        let text: LitStr = inner.value()?.parse()?;
        if inner.path.is_ident("deserialize") {
            name = Some(text.value());
        }
        Ok(())
    })?;
    Ok(name)
}

fn case_of(rule: &str) -> Option<Case> {
    match rule {
        "UPPERCASE" | "SCREAMING_SNAKE_CASE" => Some(Case::Upper),
        "PascalCase" => Some(Case::Pascal),
        "camelCase" => Some(Case::Camel),
        "kebab-case" => Some(Case::Kebab),
        "SCREAMING-KEBAB-CASE" => Some(Case::UpperKebab),
        // "lowercase" and "snake_case" leave the name of a field as it is.
        _ => None,
    }
}

/// As serde does it with the name of a field.
fn in_case(case: Case, name: &str) -> String {
    match case {
        Case::Upper => name.to_ascii_uppercase(),
        Case::Kebab => name.replace('_', "-"),
        Case::UpperKebab => name.to_ascii_uppercase().replace('_', "-"),
        Case::Pascal => pascal(name),
        Case::Camel => {
            let pascal = pascal(name);
            let first = pascal.chars().next().map_or(0, char::len_utf8);
            pascal[..first].to_ascii_lowercase() + &pascal[first..]
        }
    }
}

fn pascal(name: &str) -> String {
    let mut pascal = String::new();
    let mut begins = true;
    for letter in name.chars() {
        if letter == '_' {
            begins = true;
        } else if begins {
            pascal.push(letter.to_ascii_uppercase());
            begins = false;
        } else {
            pascal.push(letter);
        }
    }
    pascal
}
