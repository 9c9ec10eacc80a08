//! `#[derive(ReadModel)]`.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;

use crate::expand::{assuming, impl_at, token_of};
use crate::model::ReadModel;
use crate::model::item::Field;
use crate::model::read_model::Column;

/// Expands to:
///
/// ```text
/// impl Subject for AccountSummary { type Key = AccountId; }
/// impl ReadModel for AccountSummary {
///     const TABLE: &'static Table = &Table::new("account_summaries", &[
///         TableColumn::new("account", <AccountId as ColumnType>::KIND, <AccountId as ColumnType>::NULLABLE),
///         …
///     ], &[0]);
///     fn key(&self) -> AccountId { … }
///     fn column(&self, index: usize) -> Result<Value, ColumnError> { match index { 0 => …, … } }
///     fn to_row(&self) -> Result<Row, ColumnError> { row_of(self) }
///     fn from_row(row: Row) -> Result<Self, ColumnError> { … }
/// }
/// impl AccountSummary {
///     pub const ACCOUNT: Column<Self, AccountId> = column_of(0);
///     pub const OWNER: Column<Self, String> = column_of(1);
///     #[doc(hidden)]
///     pub const BALANCE: UnindexedColumn<Self> = UnindexedColumn::new();
/// }
/// ```
pub(crate) fn expand(model: &ReadModel) -> TokenStream {
    if !model.can_expand() {
        return fallback(model);
    }
    let annals = &model.options.crate_path;
    let ident = &model.item.ident;
    let table = model.options.table.as_ref().map_or_else(String::new, syn::LitStr::value);
    let columns: Vec<ColumnOutput<'_>> = outputs(model);
    let definitions = columns.iter().map(ColumnOutput::definition);
    let writes = columns.iter().map(ColumnOutput::write);
    let (bindings, reads): (Vec<Ident>, Vec<TokenStream>) =
        columns.iter().map(ColumnOutput::read).unzip();
    let places = model.key().into_iter().map(Literal::usize_unsuffixed);
    let (key_ty, key) = key(model, &columns);
    // A type that cannot be the key is reported where it stands: the compiler points to the trait for what it asks of the
    // key, and to the struct for what it asks of that.
    let span = match &*model.key() {
        [place] => token_of(&model.item.fields[*place].ty),
        _ => ident.span(),
    };
    let annals_here = annals.at(span);
    let read_model = quote_spanned!(span=> #annals_here::ReadModel);
    let constants = constants(model);
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #annals::Subject for #ident {
            type Key = #key_ty;
        }

        #[automatically_derived]
        #[allow(deprecated, unused_imports)]
        const _: () = {
            use #annals::NoKeyColumn as _;

            impl #read_model for #ident {
                const TABLE: &'static #annals::Table =
                    &#annals::Table::new(#table, &[#(#definitions),*], &[#(#places),*]);

                fn key(&self) -> <Self as #annals::Subject>::Key {
                    #key
                }

                fn column(
                    &self,
                    index: ::core::primitive::usize,
                ) -> ::core::result::Result<#annals::Value, #annals::ColumnError> {
                    match index {
                        #(#writes)*
                        _ => #annals::no_column(index),
                    }
                }

                fn to_row(&self) -> ::core::result::Result<#annals::Row, #annals::ColumnError> {
                    #annals::row_of(self)
                }

                fn from_row(
                    row: #annals::Row,
                ) -> ::core::result::Result<Self, #annals::ColumnError> {
                    let [#(#bindings),*] = #annals::values_of(row)?;
                    ::core::result::Result::Ok(Self { #(#reads),* })
                }
            }
        };

        #constants
    }
}

/// A column, by its field and its place.
struct ColumnOutput<'a> {
    model: &'a ReadModel,
    place: usize,
    field: &'a Field,
    column: &'a Column,
    name: String,
}

fn outputs(model: &ReadModel) -> Vec<ColumnOutput<'_>> {
    let fields = model.item.fields.iter().zip(&model.columns).enumerate();
    fields
        .map(|(place, (field, column))| ColumnOutput {
            model,
            place,
            field,
            column,
            name: name_of(field).map_or_else(String::new, |name| name.unraw().to_string()),
        })
        .collect()
}

fn name_of(field: &Field) -> Option<&Ident> {
    match &field.member {
        syn::Member::Named(name) => Some(name),
        syn::Member::Unnamed(_) => None,
    }
}

impl ColumnOutput<'_> {
    /// What leads between the field and its column. All that is asked of the field's type is asked at one place.
    fn by(&self) -> TokenStream {
        let ty = &self.field.ty;
        let span = token_of(ty);
        let annals = self.model.options.crate_path.at(span);
        if self.column.json.is_some() {
            quote_spanned!(span=> <#ty as #annals::JsonColumn>)
        } else if self.column.key.is_some() {
            // The key as a whole is asked for by the read model.
            quote_spanned!(span=> #annals::ColumnOf::<#ty>)
        } else {
            quote_spanned!(span=> <#ty as #annals::ColumnType>)
        }
    }

    /// `TableColumn::new("owner", <String as ColumnType>::KIND, <String as ColumnType>::NULLABLE).with_index(Index::Plain)`
    fn definition(&self) -> TokenStream {
        let annals = &self.model.options.crate_path;
        let (name, by) = (&self.name, self.by());
        let kind = if self.column.json.is_some() {
            quote!(#annals::ColumnKind::Json, false)
        } else {
            let span = token_of(&self.field.ty);
            quote_spanned!(span=> #by::KIND, #by::NULLABLE)
        };
        let index = match (self.column.index, self.column.unique) {
            (_, Some(_)) => Some(quote!(.with_index(#annals::Index::Unique))),
            (Some(_), None) => Some(quote!(.with_index(#annals::Index::Plain))),
            (None, None) => None,
        };
        quote!(#annals::TableColumn::new(#name, #kind) #index)
    }

    /// `1 => in_column("owner", <String as ColumnType>::to_value(&self.owner)),`
    fn write(&self) -> TokenStream {
        let annals = &self.model.options.crate_path;
        let (place, name) = (Literal::usize_unsuffixed(self.place), &self.name);
        let (by, member) = (self.by(), &self.field.member);
        let span = token_of(&self.field.ty);
        let to_value = if self.column.json.is_some() { "to_json" } else { "to_value" };
        let to_value = Ident::new(to_value, span);
        let to_value = quote_spanned!(span=> #by::#to_value);
        quote!(#place => #annals::in_column(#name, #to_value(&self.#member)),)
    }

    /// The name of its value, and `owner: in_column("owner", <String as ColumnType>::from_value(column_1))?`.
    fn read(&self) -> (Ident, TokenStream) {
        let annals = &self.model.options.crate_path;
        let value = format_ident!("column_{}", self.place, span = Span::mixed_site());
        let (name, by, member) = (&self.name, self.by(), &self.field.member);
        let span = token_of(&self.field.ty);
        let from_value = if self.column.json.is_some() { "from_json" } else { "from_value" };
        let from_value = Ident::new(from_value, span);
        let from_value = quote_spanned!(span=> #by::#from_value);
        let read = quote!(#member: #annals::in_column(#name, #from_value(#value))?);
        (value, read)
    }

    /// A copy of its field.
    fn copy(&self) -> TokenStream {
        let (by, member) = (self.by(), &self.field.member);
        let copy = quote_spanned!(token_of(&self.field.ty)=> #by::copy);
        quote!(#copy(&self.#member))
    }
}

/// The type of the key, and how a row makes its own.
fn key(model: &ReadModel, columns: &[ColumnOutput<'_>]) -> (TokenStream, TokenStream) {
    let annals = &model.options.crate_path;
    let key: Vec<&ColumnOutput<'_>> =
        model.key().into_iter().map(|place| &columns[place]).collect();
    match &*key {
        // Without a key, any will do, so that one mistake stays one error.
        [] => (quote!(#annals::AnyKey), quote!(#annals::AnyKey)),
        [column] => (column.field.ty.to_token_stream(), column.copy()),
        several => {
            let types = several.iter().map(|column| &column.field.ty);
            let copies = several.iter().map(|column| column.copy());
            (quote!((#(#types),*)), quote!((#(#copies),*)))
        }
    }
}

/// A constant for each column, as visible as its field: one by which rows are found, or one that says that there is no index.
fn constants(model: &ReadModel) -> TokenStream {
    let annals = &model.options.crate_path;
    let ident = &model.item.ident;
    let columns = outputs(model);
    let constants = columns.iter().filter_map(|output| {
        let ColumnOutput { column, field, name, .. } = output;
        let is_found_by = column.key.is_some() || column.index.is_some() || column.unique.is_some();
        let constant = column_constant(name_of(field)?);
        let (vis, ty) = (&field.vis, &field.ty);
        // Two columns of one name are reported as such.
        let is_twice = || {
            let names = columns.iter().filter_map(|other| name_of(other.field));
            names.filter(|other| column_constant(other) == constant).count() > 1
        };
        if !is_found_by && is_twice() {
            return None;
        }
        let place = Literal::usize_unsuffixed(output.place);
        let docs = format!("The column `{name}`, by which rows are found and ordered.");
        Some(if is_found_by {
            quote! {
                #[doc = #docs]
                #vis const #constant: #annals::Column<Self, #ty> = #annals::column_of(#place);
            }
        } else {
            quote! {
                #[doc(hidden)]
                #vis const #constant: #annals::UnindexedColumn<Self> =
                    #annals::UnindexedColumn::new();
            }
        })
    });
    let constants: Vec<TokenStream> = constants.collect();
    if constants.is_empty() {
        return TokenStream::new();
    }
    quote! {
        #[automatically_derived]
        #[allow(dead_code, deprecated)]
        impl #ident {
            #(#constants)*
        }
    }
}

/// The constant of a field's column: `OWNER` of `owner`.
pub(super) fn column_constant(field: &Ident) -> Ident {
    Ident::new(&field.unraw().to_string().to_uppercase(), field.span())
}

/// Expands to a read model of any key for what the check has refused, so that its projection does not refuse it once more.
fn fallback(model: &ReadModel) -> TokenStream {
    let item = &model.item;
    let annals = &model.options.crate_path;
    let ident = &item.ident;
    let supertraits =
        quote!(::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync + 'static);
    let generics = assuming(item, &supertraits);
    let (impl_generics, of_type, bounds) = generics.split_for_impl();
    let header = quote!(#impl_generics #annals::ReadModel for #ident #of_type #bounds);
    let read_model = impl_at(
        ident.span(),
        &header,
        quote! {
            const TABLE: &'static #annals::Table = &#annals::Table::new("", &[], &[]);

            fn key(&self) -> #annals::AnyKey {
                ::core::unreachable!()
            }

            fn to_row(&self) -> ::core::result::Result<#annals::Row, #annals::ColumnError> {
                ::core::unreachable!()
            }

            fn from_row(
                _: #annals::Row,
            ) -> ::core::result::Result<Self, #annals::ColumnError> {
                ::core::unreachable!()
            }
        },
    );
    quote! {
        #[automatically_derived]
        impl #impl_generics #annals::Subject for #ident #of_type #bounds {
            type Key = #annals::AnyKey;
        }

        #[automatically_derived]
        #read_model
    }
}
