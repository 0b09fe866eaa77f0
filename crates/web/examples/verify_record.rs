//! The module that judges trust records.

cmcp_web::module!(cmcp_web::record);
