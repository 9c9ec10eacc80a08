//! The way from each version of an event to the present one.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Expr, Lit};

use crate::expand::token_of;
use crate::model::upcast::{
    Mark, Step, Upcast, aliases_at, may_be_other_than_none, name_at, steps,
};
use crate::model::{CratePath, Event};

/// Expands to what `Event` says of versions:
///
/// ```text
/// const OLDEST: u32 = 1;
/// const READABLE_FROM: u32 = 2;
/// const DIRECT_FROM: u32 = 3;
/// const RENAMED: &'static [Renamed] = &[Renamed::new(3, "addr", "shipping_address")];
/// const RETIRED: bool = true;
/// const PREVIOUS: Option<Previous<Self>> = Some(Previous::of::<PriceSetV1>());
/// fn upcast(from: u32, json: Value) -> Result<Value, UpcastError> { match from { 1 => …, … } }
/// ```
pub(crate) fn items(event: &Event) -> TokenStream {
    let annals = &event.options.crate_path;
    let retired = event.options.retired.map(|_| {
        quote!(
            const RETIRED: ::core::primitive::bool = true;
        )
    });
    let previous = event.options.previous.as_ref().map(|previous| {
        let span = token_of(previous);
        let annals_here = annals.at(span);
        let of = quote_spanned!(span=> #annals_here::Previous::of::<#previous>());
        quote! {
            const PREVIOUS: ::core::option::Option<#annals::Previous<Self>> =
                ::core::option::Option::Some(#of);
        }
    });
    if event.versions_refused {
        return quote!(#retired #previous);
    }
    let readable_from = event.options.readable_from.map(|version| {
        let value = version.value;
        quote!(const READABLE_FROM: ::core::primitive::u32 = #value;)
    });
    let (oldest, direct_from, upcast) = (oldest(event), direct_from(event), upcast_fn(event));
    let renamed = renamed(event);
    quote!(#oldest #readable_from #direct_from #renamed #retired #previous #upcast)
}

/// The oldest version; with an earlier struct, its oldest.
fn oldest(event: &Event) -> Option<TokenStream> {
    let value = if let Some(oldest) = event.options.oldest {
        let value = oldest.value;
        quote!(#value)
    } else {
        event.options.previous.as_ref()?;
        let annals = &event.options.crate_path;
        quote! {
            match <Self as #annals::Event>::PREVIOUS {
                ::core::option::Option::Some(previous) => previous.event.oldest,
                ::core::option::Option::None => 1,
            }
        }
    };
    Some(quote!(const OLDEST: ::core::primitive::u32 = #value;))
}

/// The version from which on all steps need nothing.
fn direct_from(event: &Event) -> Option<TokenStream> {
    let mut direct_from = event.version();
    for step in steps(event).iter().rev() {
        if step.from + 1 != direct_from || !step.is_direct(event) {
            break;
        }
        direct_from = step.from;
    }
    (direct_from < event.version())
        .then(|| quote!(const DIRECT_FROM: ::core::primitive::u32 = #direct_from;))
}

/// Expands to:
///
/// ```text
/// fn upcast(from: u32, json: Value) -> Result<Value, UpcastError> {
///     match from {
///         1 => {
///             let json = lift(split_name, json)?;
///             let mut fields = Fields::of(json)?;
///             fields.remove("coupon");
///             fields.rename(&[("addr", "shipping_address")]);
///             fields.resolve("price", &["cost"]);
///             fields.convert::<i64, _, _>("price", cents)?;
///             fields.add::<String>("currency", || default_of::<String, _, _>("EUR"))?;
///             Ok(fields.into_json())
///         }
///         _ => Ok(json),
///     }
/// }
/// ```
fn upcast_fn(event: &Event) -> Option<TokenStream> {
    let annals = &event.options.crate_path;
    let steps = steps(event);
    if steps.is_empty() {
        return None;
    }
    let arms = steps.iter().filter(|step| !step.is_direct(event)).map(|step| arm(event, step));
    Some(quote_spanned! {Span::mixed_site()=>
        fn upcast(
            from: ::core::primitive::u32,
            json: #annals::serde_json::Value,
        ) -> ::core::result::Result<#annals::serde_json::Value, #annals::UpcastError> {
            match from {
                #(#arms)*
                _ => ::core::result::Result::Ok(json),
            }
        }
    })
}

/// The way up of a state that is kept with its version, as of a process; nothing if there is none. Expands to:
///
/// ```text
/// fn upcast(from: u32, state: Value) -> Result<Value, UpcastError> {
///     match from {
///         1 => { let json = lift(split_stage, json)?; Ok(json) }
///         2 => Ok(json),
///         _ => Err(UpcastError::new("…")),
///     }
/// }
/// ```
pub(super) fn state_upcast(annals: &CratePath, upcasts: &[Upcast]) -> Option<TokenStream> {
    if upcasts.is_empty() {
        return None;
    }
    let arms = upcasts.iter().filter_map(|upcast| {
        let from = upcast.from?.value;
        let lifted = lifted(annals, upcast);
        Some(quote_spanned! {Span::mixed_site()=>
            #from => {
                #lifted
                ::core::result::Result::Ok(json)
            }
        })
    });
    Some(quote_spanned! {Span::mixed_site()=>
        fn upcast(
            from: ::core::primitive::u32,
            json: #annals::serde_json::Value,
        ) -> ::core::result::Result<#annals::serde_json::Value, #annals::UpcastError> {
            match from {
                #(#arms)*
                _ => ::core::result::Result::Err(#annals::UpcastError::new(
                    "no step leads up from this version",
                )),
            }
        }
    })
}

/// `let json = lift(split_name, json)?;`, unless the step needs nothing.
pub(super) fn lifted(annals: &CratePath, upcast: &Upcast) -> Option<TokenStream> {
    let function = upcast.with.as_ref()?;
    let site = Span::mixed_site();
    let span = function.path.segments.last().map_or(site, |last| last.ident.span());
    let annals_here = annals.at(span);
    let call = quote_spanned!(span=> #annals_here::lift);
    Some(quote_spanned!(site=> let json = #call(#function, json)?;))
}

fn arm(event: &Event, step: &Step<'_>) -> TokenStream {
    let annals = &event.options.crate_path;
    let from = step.from;
    let site = Span::mixed_site();
    let lifted = step.upcast.and_then(|upcast| lifted(annals, upcast));
    if step.removed.is_empty() && step.marks.is_empty() {
        return quote_spanned! {site=>
            #from => {
                #lifted
                ::core::result::Result::Ok(json)
            }
        };
    }
    let removed = step.removed.iter().map(|removed| &removed.name);
    let renames = renames(event, step);
    let aliases = step.marks.iter().filter_map(|(field, mark)| resolve(event, *field, mark));
    let converts = step.marks.iter().filter_map(|(field, mark)| convert(event, *field, mark));
    let adds = step.marks.iter().filter_map(|(field, mark)| add(event, *field, mark));
    quote_spanned! {site=>
        #from => {
            #lifted
            let mut fields = #annals::Fields::of(json)?;
            #(fields.remove(#removed);)*
            #renames
            #(#aliases)*
            #(#converts)*
            #(#adds)*
            ::core::result::Result::Ok(fields.into_json())
        }
    }
}

/// What is renamed in any step.
fn renamed(event: &Event) -> Option<TokenStream> {
    let annals = &event.options.crate_path;
    let mut renamed = Vec::new();
    for step in steps(event) {
        let since = step.from + 1;
        for (field, mark) in &step.marks {
            let (Some((_, old)), Some(new)) =
                (&mark.renamed_from, name_at(event, *field, mark.version()))
            else {
                continue;
            };
            renamed.push(quote!(#annals::Renamed::new(#since, #old, #new)));
        }
    }
    (!renamed.is_empty())
        .then(|| quote!(const RENAMED: &'static [#annals::Renamed] = &[#(#renamed),*];))
}

fn renames(event: &Event, step: &Step<'_>) -> Option<TokenStream> {
    let mut pairs = Vec::new();
    for (field, mark) in &step.marks {
        let Some(new) = name_at(event, *field, mark.version()) else { continue };
        pairs.extend(mark.earlier_names().map(|old| quote!((#old, #new))));
    }
    (!pairs.is_empty()).then(|| quote_spanned!(Span::mixed_site()=> fields.rename(&[#(#pairs),*]);))
}

/// What a mark changes or adds may be there under an alias.
fn resolve(event: &Event, field: usize, mark: &Mark) -> Option<TokenStream> {
    let name = name_at(event, field, mark.version())?;
    let aliases = aliases_at(event, field, mark.version());
    (!aliases.is_empty())
        .then(|| quote_spanned!(Span::mixed_site()=> fields.resolve(#name, &[#(#aliases),*]);))
}

fn convert(event: &Event, field: usize, mark: &Mark) -> Option<TokenStream> {
    let (_, function) = mark.convert_with.as_ref()?;
    let name = name_at(event, field, mark.version())?;
    let span = function.path.segments.last().map_or(Span::mixed_site(), |last| last.ident.span());
    let ty = &event.item.fields.get(field)?.ty;
    let convert = if event.serde.fields.get(field)?.custom.is_some() {
        // Only JSON is as serde's `with` writes the field.
        quote_spanned!(span=> convert_json)
    } else if is_converted_after(event, field, mark) {
        quote_spanned!(span=> reshape)
    } else {
        quote_spanned!(span=> convert::<#ty, _, _>)
    };
    Some(quote_spanned!(Span::mixed_site()=> fields.#convert(#name, #function)?;))
}

fn add(event: &Event, field: usize, mark: &Mark) -> Option<TokenStream> {
    let name = name_at(event, field, mark.version())?;
    let ty = &event.item.fields.get(field)?.ty;
    let site = Span::mixed_site();
    let Some((_, default)) = &mark.default else {
        let is_bare = mark.is_addition() && may_be_other_than_none(event, field);
        let annals = &event.options.crate_path;
        return is_bare.then(|| {
            quote_spanned! {site=>
                            if {
                                // Of an `Option` it is not asked.
            #[allow(unused_imports)]
            use #annals::MaybeOptional as _;
                                #annals::Optionality::<#ty>::IS_OPTION
                            } {
                                fields.add_null(#name);
                            }
                        }
        });
    };
    let span = match default {
        Expr::Path(path) => path.path.segments.last().map_or(site, |last| last.ident.span()),
        Expr::Lit(literal) => literal.lit.span(),
        _ => site,
    };
    let annals = event.options.crate_path.at(span);
    let is_path = matches!(default, Expr::Path(_));
    let is_text = matches!(default, Expr::Lit(literal) if matches!(literal.lit, Lit::Str(_)));
    let add = if is_converted_after(event, field, mark) {
        let value = if is_path {
            quote_spanned!(span=> #annals::any_default(#default))
        } else {
            quote!(#default)
        };
        quote_spanned!(Span::mixed_site()=> fields.add(#name, || #value)?;)
    } else if is_path || is_text {
        let value = quote_spanned!(span=> #annals::default_of::<#ty, _, _>(#default));
        quote_spanned!(Span::mixed_site()=> fields.add::<#ty>(#name, || #value)?;)
    } else {
        quote_spanned! {Span::mixed_site()=>
            fields.add::<#ty>(#name, || {
                let default: #ty = #default;
                default
            })?;
        }
    };
    Some(add)
}

/// Whether the field has another type today than after this change.
fn is_converted_after(event: &Event, field: usize, mark: &Mark) -> bool {
    let marks = event.options.marks.get(field).into_iter().flatten();
    marks.filter(|other| other.convert_with.is_some()).any(|other| other.version() > mark.version())
}

/// Expands to what only types can tell: how far the earlier struct leads, and what is an `Option`.
///
/// ```text
/// const _: () = assert_previous(&EventName::of::<PriceSet>(), "PriceSet", "PriceSetV1");
/// const _: () = assert_steps(&EventName::of::<PriceSet>(), "PriceSetV1", &[2, 3]);
/// const _: () = assert_step(&EventName::of::<PriceSet>(), "PriceSetV1", 2);
/// const _: () = assert_optional::<Option<String>>();
/// ```
pub(crate) fn assertions(event: &Event) -> TokenStream {
    if event.versions_refused {
        return TokenStream::new();
    }
    let mut tokens = optional_assertions(event);
    let options = &event.options;
    let (Some(previous), Some(word)) = (&options.previous, event.previous_word()) else {
        return tokens;
    };
    let ident = &event.item.ident;
    let name = syn::ext::IdentExt::unraw(ident).to_string();
    let mut assert = |span: Span, call: &dyn Fn(TokenStream, TokenStream) -> TokenStream| {
        let annals = options.crate_path.at(span);
        let stored = quote_spanned!(span=> &#annals::EventName::of::<#ident>());
        let call = call(annals, stored);
        tokens.extend(quote_spanned!(span=> #[allow(deprecated)] const _: () = #call;));
    };
    let at_type = token_of(previous);
    assert(
        at_type,
        &|annals, stored| quote_spanned!(at_type=> #annals::assert_previous(#stored, #name, #word)),
    );
    let steps = steps(event);
    let froms = steps.iter().map(|step| step.from).collect::<Vec<_>>();
    let at_version = options.version.map_or(at_type, |version| version.span);
    assert(
        at_version,
        &|annals, stored| quote_spanned!(at_version=> #annals::assert_steps(#stored, #word, &[#(#froms),*])),
    );
    for step in &steps {
        let (span, from) = (step.span, step.from);
        assert(
            span,
            &|annals, stored| quote_spanned!(span=> #annals::assert_step(#stored, #word, #from)),
        );
    }
    if let Some(oldest) = options.oldest {
        let span = oldest.span;
        assert(
            span,
            &|annals, stored| quote_spanned!(span=> #annals::assert_oldest(#stored, #word)),
        );
    }
    if let Some(readable_from) = options.readable_from {
        let span = readable_from.span;
        assert(
            span,
            &|annals, stored| quote_spanned!(span=> #annals::assert_readable_from(#stored, #word)),
        );
    }
    tokens
}

/// A field that was added without a default is an `Option`, unless serde fills it; and an `Option` is `None` then, of which
/// serde's `with` knows nothing.
fn optional_assertions(event: &Event) -> TokenStream {
    let fields = event.item.fields.iter().zip(&event.options.marks).zip(&event.serde.fields);
    let mut tokens = TokenStream::new();
    for ((field, marks), serde) in fields {
        let bare = marks.iter().filter(|mark| mark.is_addition() && mark.default.is_none());
        for since in bare.filter_map(|mark| mark.since) {
            let span = since.span;
            let annals = event.options.crate_path.at(span);
            let ty = &field.ty;
            let ty = quote!(#ty);
            let assertion = match serde.custom {
                _ if !serde.default => quote_spanned!(span=> #annals::assert_optional::<#ty>()),
                Some(word) if serde.own_default => quote_spanned! {span=> {
                                    // Of an `Option` it is not asked.
                #[allow(unused_imports)]
                use #annals::MaybeOptional as _;
                                    #annals::assert_not_optional(#annals::Optionality::<#ty>::IS_OPTION, #word)
                                }},
                _ => continue,
            };
            tokens.extend(quote_spanned!(span=> #[allow(deprecated)] const _: () = #assertion;));
        }
    }
    tokens
}
