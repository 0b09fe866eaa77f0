//! The module that judges evidence.

cmcp_web::module!(cmcp_web::evidence);
