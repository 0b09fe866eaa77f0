//! AMD's roots, one for each product.

use super::tcb::Product;
use crate::{
    policy::fields::Roots,
    x509::{Certificate, one_from_pem},
};

/// The roots that may have issued for a product: those that are named after it.
pub(crate) fn of(product: Product, roots: &Roots) -> Result<Vec<Certificate>, String> {
    let name = format!("ARK-{product}");
    let read = |der: &[u8]| Certificate::from_der(der).map_err(|error| error.to_string());
    let all = match roots {
        Roots::Vendor => {
            let der = one_from_pem(pinned(product)).map_err(|error| error.to_string())?;
            vec![read(&der)?]
        }
        Roots::These(list) => list.iter().map(|der| read(der)).collect::<Result<_, _>>()?,
    };
    let named: Vec<Certificate> = all
        .into_iter()
        .filter(|root| root.common_name().as_ref() == Some(&name))
        .collect();
    if named.is_empty() {
        return Err(format!("no trusted root is named `{name}`"));
    }
    Ok(named)
}

const fn pinned(product: Product) -> &'static [u8] {
    match product {
        Product::Milan => include_bytes!("../../roots/amd-ark-milan.pem"),
        Product::Genoa => include_bytes!("../../roots/amd-ark-genoa.pem"),
        Product::Turin => include_bytes!("../../roots/amd-ark-turin.pem"),
    }
}
