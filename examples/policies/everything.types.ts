/** Echoes back the input string */
export interface EchoArguments {
  /** Message to echo */
  message: string;
}

/** Demonstrates how annotations can be used to provide metadata about content. */
export interface GetAnnotatedMessageArguments {
  /** Type of message to demonstrate different annotation patterns */
  messageType: "error" | "success" | "debug";
  /** Whether to include an example image */
  includeImage?: boolean;
}

/** Returns all environment variables, helpful for debugging MCP server configuration */
export type GetEnvArguments = {};

/** Returns up to ten resource links that reference different types of resources */
export interface GetResourceLinksArguments {
  /** Number of resource links to return (1-10) */
  count?: number;
}

/** Returns a resource reference that can be used by MCP clients */
export interface GetResourceReferenceArguments {
  resourceType?: "Text" | "Blob";
  /** ID of the text resource to fetch */
  resourceId?: number;
}

/** Returns structured content along with an output schema for client data validation */
export interface GetStructuredContentArguments {
  /** Choose city */
  location: "New York" | "Chicago" | "Los Angeles";
}

/** Returns the sum of two numbers */
export interface GetSumArguments {
  /** First number */
  a: number;
  /** Second number */
  b: number;
}

/** Returns a tiny MCP logo image. */
export type GetTinyImageArguments = {};

/** Compresses a single file using gzip compression. Depending upon the selected output type, returns either the compressed data as a gzipped resource or a resource link, allowing it to be downloaded in a subsequent request during the current session. */
export interface GzipFileAsResourceArguments {
  /** Name of the output file */
  name?: string;
  /** URL or data URI of the file content to compress */
  data?: string;
  /** How the resulting gzipped file should be returned. 'resourceLink' returns a link to a resource that can be read later, 'resource' returns a full resource object. */
  outputType?: "resourceLink" | "resource";
}

/** Simulates a deep research operation that gathers, analyzes, and synthesizes information. Demonstrates MCP task-based operations with progress through multiple stages. If 'ambiguous' is true and client supports elicitation, sends an elicitation request for clarification. */
export interface SimulateResearchQueryArguments {
  /** The research topic to investigate */
  topic: string;
  /** Simulate an ambiguous query that requires clarification (triggers input_required status) */
  ambiguous?: boolean;
}

/** Toggles simulated, random-leveled logging on or off. */
export type ToggleSimulatedLoggingArguments = {};

/** Toggles simulated resource subscription updates on or off. */
export type ToggleSubscriberUpdatesArguments = {};

/** Demonstrates a long running operation with progress updates. */
export interface TriggerLongRunningOperationArguments {
  /** Duration of the operation in seconds */
  duration?: number;
  /** Number of steps in the operation */
  steps?: number;
}

export interface EverythingTools {
  echo: EchoArguments;
  "get-annotated-message": GetAnnotatedMessageArguments;
  "get-env": GetEnvArguments;
  "get-resource-links": GetResourceLinksArguments;
  "get-resource-reference": GetResourceReferenceArguments;
  "get-structured-content": GetStructuredContentArguments;
  "get-sum": GetSumArguments;
  "get-tiny-image": GetTinyImageArguments;
  "gzip-file-as-resource": GzipFileAsResourceArguments;
  "simulate-research-query": SimulateResearchQueryArguments;
  "toggle-simulated-logging": ToggleSimulatedLoggingArguments;
  "toggle-subscriber-updates": ToggleSubscriberUpdatesArguments;
  "trigger-long-running-operation": TriggerLongRunningOperationArguments;
}
