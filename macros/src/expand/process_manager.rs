//! `#[derive(ProcessManager)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use crate::expand::upcast::state_upcast;
use crate::expand::{assuming, command_enum, same_state, token_of};
use crate::model::ProcessManager;

/// Expands to the [enum of its commands](command_enum::expand), and to:
///
/// ```text
/// impl Subject for Fulfilment { type Key = OrderId; }
/// impl ProcessManager for Fulfilment {
///     type Id = OrderId; type Command = FulfilmentCommand;
///     const NAME: &'static str = "fulfilment";
///     const VERSION: u32 = 2;
///     const START: Start = Start::Beginning;
///     fn upcast(from: u32, state: Value) -> Result<Value, UpcastError> { … }
///     fn same_state(&self, other: &Self) -> Option<bool> { … }
/// }
/// ```
pub(crate) fn expand(process: &ProcessManager) -> TokenStream {
    if !process.item.can_expand() {
        return fallback(process);
    }
    let options = &process.options;
    let annals = &options.crate_path;
    let ident = &process.item.ident;
    let command_enum = process.command_enum();
    let definition = command_enum::expand(process);
    // Without an id, any will do, so that one mistake stays one error; what lacks a name was refused.
    let id = options.id.as_ref().map_or_else(|| quote!(#annals::AnyId), ToTokens::to_token_stream);
    let name = options.name.as_ref().map_or_else(|| quote!(""), ToTokens::to_token_stream);
    let version = options
        .version
        .map(|version| version.value)
        .map(|version| quote!(const VERSION: ::core::primitive::u32 = #version;));
    let start = options.start.as_ref().map(|start| {
        let variant = Ident::new(start.variant, start.word.span());
        quote!(const START: #annals::Start = #annals::Start::#variant;)
    });
    let upcast =
        (!process.versions_refused).then(|| state_upcast(annals, &options.upcasts)).flatten();
    let same_state = same_state(annals);
    // Where the id is none, the compiler says so of the process, not of its key as well.
    let at_id = options.id.as_ref().map_or_else(Span::call_site, token_of);
    let annals_here = annals.at(at_id);
    let process_manager = quote_spanned!(at_id=> #annals_here::ProcessManager);
    quote! {
        #definition

        #[automatically_derived]
        #[allow(deprecated)]
        impl #annals::Subject for #ident {
            type Key = #id;
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl #process_manager for #ident {
            type Id = #id;
            type Command = #command_enum;

            const NAME: &'static ::core::primitive::str = #name;
            #version
            #start
            #upcast
            #same_state
        }
    }
}

/// Expands to a process of any id and any commands for what the check has refused, so that its steps do not refuse it once
/// more.
fn fallback(process: &ProcessManager) -> TokenStream {
    let item = &process.item;
    let annals = &process.options.crate_path;
    let ident = &item.ident;
    let generics = assuming(item, &quote!(#annals::ProcessState));
    let (impl_generics, of_type, bounds) = generics.split_for_impl();
    let definition = command_enum::expand(process);
    quote! {
        #definition

        #[automatically_derived]
        impl #impl_generics #annals::Subject for #ident #of_type #bounds {
            type Key = #annals::AnyId;
        }

        #[automatically_derived]
        impl #impl_generics #annals::ProcessManager for #ident #of_type #bounds {
            type Id = #annals::AnyId;
            type Command = #annals::AnyCommand;

            const NAME: &'static ::core::primitive::str = "";
        }
    }
}
