//! Images that are another one with a layer on top: what was installed into it.
//!
//! Their trees are named by what went in, as what came of it can't be known before it is there.

use std::io::Read;

use scientist_pool_protocol::images::Fault;

use crate::{
    blob::Digest,
    failure::{Failure, Result},
    lock,
    store::{Image, Store, Tree},
};

/// Gets the image that is `base` with what `recipe` makes on top, under a name of its own. `tree`: the tree that
/// `base` had when the recipe was made. `layer` is asked for where nobody has derived it yet; meanwhile whoever
/// wants the same waits.
pub fn derive<R: Read>(
    store: &Store,
    base: &str,
    tree: &str,
    name: &str,
    recipe: &str,
    layer: impl FnOnce() -> Result<R>,
) -> Result<(Image, Tree)> {
    let gone = || {
        let message = format!("{base} was pulled again or removed meanwhile: try again");
        Failure::new(Fault::System, message)
    };
    let image = store.image(base).ok_or_else(gone)?;
    let top = image.chain.last().filter(|top| top.hex() == tree).ok_or_else(gone)?;
    let below = store.tree(top)?.ok_or_else(gone)?;
    let id = Digest::of(format!("{top}\n{recipe}").as_bytes());
    let _held = lock::exclusive(&store.lock_path(&id))?;
    let tree = match store.tree(&id)? {
        Some(tree) => tree,
        None => store.build(Some(&below), &id, None, layer()?)?,
    };
    let mut chain = image.chain;
    chain.push(id.clone());
    let name = name.to_owned();
    let image = store.write_note(Image { name, digest: id, chain, size: tree.size, ..image })?;
    Ok((image, tree))
}
