//! `#[sql_projection]`: what stands beside the user's impl.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;

use crate::expand::projection::constants;
use crate::expand::{impl_at, respanned, token_of};
use crate::model::SqlProjection;
use crate::model::sql_projection::{SqlMark, SqlMethod};

/// Expands to the user's impl without its marks, for each `#[on]` to what [`on`] says, and to:
///
/// ```text
/// impl SqlProjection for Audit {
///     const NAME: &'static str = "audit";
///     const VERSION: u32 = 1;
///     async fn setup(connection: &mut PgConnection) -> Result<(), SqlError> {
///         Self::tables(connection).await.into_outcome()
///     }
///     fn handlers() -> Vec<SqlHandler> {
///         let mut handlers = Vec::new();
///         handlers.push(<Self as SqlOn<AccountOpened>>::handler());
///         handlers
///     }
/// }
/// ```
pub(crate) fn expand(projection: &SqlProjection) -> TokenStream {
    let block = &projection.block;
    let user_impl = &block.user_impl;
    if block.refused.is_some() {
        return user_impl.clone();
    }
    let definition = definition(projection);
    let taken = block.methods.iter().filter_map(|method| {
        let event = method.event.as_ref()?;
        Some(on(projection, method, &event.ty))
    });
    quote!(#user_impl #definition #(#taken)*)
}

fn definition(projection: &SqlProjection) -> TokenStream {
    let SqlProjection { block, options, .. } = projection;
    let annals = &options.crate_path;
    // What lacks a name was refused.
    let name = options.name.as_ref().map_or_else(|| quote!(""), ToTokens::to_token_stream);
    let constants = constants(options);
    let site = Span::mixed_site();
    let pushed = block.methods.iter().filter_map(|method| {
        let event = &method.event.as_ref()?.ty;
        let cfgs = &method.carried.cfgs;
        // A type that is no event is reported once, where it is taken.
        let span = token_of(event);
        let annals = annals.at(span);
        let handler = quote_spanned!(span=> <Self as #annals::SqlOn<#event>>::handler());
        Some(quote_spanned!(site=> #cfgs { handlers.push(#handler); }))
    });
    let handlers = quote_spanned! {site=>
        let mut handlers = ::std::vec::Vec::new();
        #(#pushed)*
        handlers
    };
    let mut setups: Vec<TokenStream> = block
        .methods
        .iter()
        .filter(|method| method.mark == SqlMark::Setup)
        .map(|method| setup(projection, Some(method)))
        .collect();
    if setups.is_empty() {
        setups.push(setup(projection, None));
    }
    let self_ty = &block.self_ty;
    let span = token_of(self_ty);
    let annals_here = annals.at(span);
    let header = quote_spanned!(span=> #annals_here::SqlProjection for #self_ty);
    let definition = impl_at(
        span,
        &header,
        quote! {
            const NAME: &'static ::core::primitive::str = #name;
            #constants

            #(#setups)*

            fn handlers() -> ::std::vec::Vec<#annals::SqlHandler> {
                #handlers
            }
        },
    );
    let (cfgs, allows) = (&block.carried.cfgs, &block.carried.allows);
    quote! {
        #cfgs
        #[automatically_derived]
        #[allow(deprecated, unused_mut, clippy::let_and_return, clippy::vec_init_then_push)]
        #allows
        #definition
    }
}

/// The `setup` that calls the user's; without one, or with one that was refused, it has no body.
fn setup(projection: &SqlProjection, method: Option<&SqlMethod>) -> TokenStream {
    let annals = &projection.options.crate_path;
    let site = Span::mixed_site();
    let cfgs = method.map(|method| &method.carried.cfgs);
    let sound = method.filter(|method| !method.refused);
    let body = sound.and_then(|method| {
        let ty = method.database.as_ref()?;
        let connection = quote_spanned!(site=> connection);
        let span = token_of(ty);
        let annals = annals.at(span);
        let given = quote_spanned! {span=>
            <#ty as #annals::SetupConnection<'_>>::from_connection(#connection)
        };
        let name = &method.name;
        Some(outcome(projection, method, &quote_spanned!(site=> Self::#name(#given).await)))
    });
    let body = body.unwrap_or_else(|| quote!(::core::unreachable!()));
    quote_spanned! {site=>
        #cfgs
        #[allow(unused_variables)]
        async fn setup(
            connection: &mut #annals::PgConnection,
        ) -> ::core::result::Result<(), #annals::SqlError> {
            #body
        }
    }
}

/// Expands to:
///
/// ```text
/// impl SqlOn<AccountOpened> for Audit {
///     async fn on(event: &AccountOpened, cx: &mut SqlContext<'_>) -> Result<(), SqlError> {
///         Self::opened(event, cx).await.into_outcome()
///     }
/// }
/// ```
fn on(projection: &SqlProjection, method: &SqlMethod, event: &Type) -> TokenStream {
    let SqlProjection { block, options, .. } = projection;
    let annals = &options.crate_path;
    let site = Span::mixed_site();
    let body = method.database.as_ref().filter(|_| !method.refused).map(|ty| {
        let cx = quote_spanned!(site=> cx);
        let span = token_of(ty);
        let annals = annals.at(span);
        let given = quote_spanned! {span=>
            <#ty as #annals::SqlHandlerContext<'_, '_>>::from_context(#cx)
        };
        let name = &method.name;
        outcome(projection, method, &quote_spanned!(site=> Self::#name(event, #given).await))
    });
    let body = body.unwrap_or_else(|| quote!(::core::unreachable!()));
    let span = token_of(event);
    let annals_here = annals.at(span);
    let self_here = respanned(block.self_ty.to_token_stream(), span);
    // What is no event is reported in the list of handlers only: the bound assumes it here.
    let header = quote_spanned! {span=>
        #annals_here::SqlOn<#event> for #self_here where for<'__a> #event: #annals_here::Event
    };
    let on = impl_at(
        span,
        &header,
        quote_spanned! {site=>
            async fn on(
                event: &#event,
                cx: &mut #annals::SqlContext<'_>,
            ) -> ::core::result::Result<(), #annals::SqlError> {
                #body
            }
        },
    );
    let (of_block, of_method) = (&block.carried, &method.carried);
    let (block_cfgs, block_allows) = (&of_block.cfgs, &of_block.allows);
    let (method_cfgs, method_allows) = (&of_method.cfgs, &of_method.allows);
    quote! {
        #block_cfgs
        #method_cfgs
        #[automatically_derived]
        #[allow(deprecated, unused_variables)]
        #block_allows
        #method_allows
        #on
    }
}

/// `<Output as SqlOutcome>::into_outcome(call)`, with the error of an output that does not fit on the return type.
fn outcome(projection: &SqlProjection, method: &SqlMethod, call: &TokenStream) -> TokenStream {
    let Some(output) = &method.output else { return quote!(::core::unreachable!()) };
    let span = token_of(output);
    let annals = projection.options.crate_path.at(span);
    quote_spanned!(span=> <#output as #annals::SqlOutcome>::into_outcome(#call))
}
