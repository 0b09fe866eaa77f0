# Foreign software that ./check and `just load` use: every version, and only here.
PYTHON_SDK_1="mcp==1.30.0"
PYTHON_SDK_2="mcp==2.3.0"
PYTHON_REFERENCE="cmcp-runtime==0.7.1 agentrust-trace==0.11.0 agentrust-trace-tests==0.6.2"
PYTHON_ORACLE="agent-manifest==0.15.0"
PUBLIC_VECTORS="agentrust-trace==0.11.0 agentrust-trace-tests==0.6.2"
NPM_PACKAGES="
node@24.21.0
@modelcontextprotocol/sdk@1.32.2
@modelcontextprotocol/client@2.4.0
@modelcontextprotocol/server@2.4.0
@modelcontextprotocol/node@2.0.0
@modelcontextprotocol/server-everything@2026.8.31
@modelcontextprotocol/server-filesystem@2026.8.31
@modelcontextprotocol/server-memory@2026.8.31
"
# The official conformance suite: the newest has both requirement sets, the one tagged `latest` the
# scenarios of the handshake era.
NPM_CONFORMANCE="@modelcontextprotocol/conformance@0.2.0-alpha.12"
NPM_CONFORMANCE_LATEST="@modelcontextprotocol/conformance@0.1.16"
NPM_CLIENTS="@modelcontextprotocol/inspector@2.12.0 mcp-remote@0.15.1"
# Makes what the linker leaves of a WebAssembly module smaller.
NPM_WASM="binaryen@132.0.0"
