//! The address of a database: what the driver does not know of it is left out, since it would be written to the log.

use std::borrow::Cow;

use url::form_urlencoded;

/// The parameters that sqlx takes; `options[…]` beside them.
const KNOWN: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Leaves out the parameters that sqlx does not know: it would log them with their values, a misspelt password among them.
pub(crate) fn without_unknown(url: &str) -> Cow<'_, str> {
    let (rest, fragment) = url.split_once('#').map_or((url, ""), |(rest, after)| (rest, after));
    let Some((address, query)) = rest.split_once('?') else { return Cow::Borrowed(url) };
    let is_known = |parameter: &&str| {
        // As sqlx reads them: a name may be written in percents.
        let name = form_urlencoded::parse(parameter.as_bytes()).next().map(|(name, _)| name);
        name.is_some_and(|name| name.starts_with("options[") || KNOWN.contains(&&*name))
    };
    let (known, unknown): (Vec<&str>, Vec<&str>) =
        query.split('&').filter(|parameter| !parameter.is_empty()).partition(is_known);
    if unknown.is_empty() {
        return Cow::Borrowed(url);
    }
    tracing::warn!(
        parameters = unknown.len(),
        "the address of the database has parameters that are not known: they are left out; known are {}",
        KNOWN.join(", ")
    );
    let mut kept = address.to_owned();
    for (number, parameter) in known.into_iter().enumerate() {
        kept.push(if number == 0 { '?' } else { '&' });
        kept.push_str(parameter);
    }
    if !fragment.is_empty() {
        kept.push('#');
        kept.push_str(fragment);
    }
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::without_unknown;

    #[test]
    fn what_the_driver_does_not_know_is_left_out() {
        let check = |url, expected| assert_eq!(without_unknown(url), expected);
        check("postgres://ada@db/shop", "postgres://ada@db/shop");
        check(
            "postgres://ada@db/shop?sslmode=require&options[role]=x",
            "postgres://ada@db/shop?sslmode=require&options[role]=x",
        );
        check("postgres://ada@db/shop?pasword=s3cret", "postgres://ada@db/shop");
        check(
            "postgres://db/shop?pasword=s3cret&user=ada&channel_binding=require&&port=1#end",
            "postgres://db/shop?user=ada&port=1#end",
        );
        check(
            "postgres://db/shop?options%5Bapplication_name%5D=shop&ssl%6dode=require&p%61sword=x&a+b=c&%zz=1",
            "postgres://db/shop?options%5Bapplication_name%5D=shop&ssl%6dode=require",
        );
        check("postgres://db/shop#?pasword=x", "postgres://db/shop#?pasword=x");
    }
}
