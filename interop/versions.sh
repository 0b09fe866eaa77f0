# Foreign software that ./check and `just load` use: every version, and only here.
PYTHON_SDK_1="mcp==1.30.0"
PYTHON_SDK_2="mcp==2.3.0"
PYTHON_REFERENCE="cmcp-runtime==0.7.1 agentrust-trace==0.11.0 agentrust-trace-tests==0.6.2"
NPM_PACKAGES="
node@24.21.0
@modelcontextprotocol/sdk@1.32.2
@modelcontextprotocol/client@2.4.0
@modelcontextprotocol/server-everything@2026.8.31
@modelcontextprotocol/server-filesystem@2026.8.31
@modelcontextprotocol/server-memory@2026.8.31
"
