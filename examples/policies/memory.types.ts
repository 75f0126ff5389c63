/** Add new observations to existing entities in the knowledge graph */
export interface AddObservationsArguments {
  observations: {
    /** The name of the entity to add the observations to */
    entityName: string;
    /** An array of observation contents to add */
    contents: string[];
  }[];
}

/** Create multiple new entities in the knowledge graph */
export interface CreateEntitiesArguments {
  entities: {
    /** The name of the entity */
    name: string;
    /** The type of the entity */
    entityType: string;
    /** An array of observation contents associated with the entity */
    observations: string[];
  }[];
}

/** Create multiple new relations between entities in the knowledge graph. Relations should be in active voice */
export interface CreateRelationsArguments {
  relations: {
    /** The name of the entity where the relation starts */
    from: string;
    /** The name of the entity where the relation ends */
    to: string;
    /** The type of the relation */
    relationType: string;
  }[];
}

/** Delete multiple entities and their associated relations from the knowledge graph */
export interface DeleteEntitiesArguments {
  /** An array of entity names to delete */
  entityNames: string[];
}

/** Delete specific observations from entities in the knowledge graph */
export interface DeleteObservationsArguments {
  deletions: {
    /** The name of the entity containing the observations */
    entityName: string;
    /** An array of observations to delete */
    observations: string[];
  }[];
}

/** Delete multiple relations from the knowledge graph */
export interface DeleteRelationsArguments {
  /** An array of relations to delete */
  relations: {
    /** The name of the entity where the relation starts */
    from: string;
    /** The name of the entity where the relation ends */
    to: string;
    /** The type of the relation */
    relationType: string;
  }[];
}

/** Open specific nodes in the knowledge graph by their names */
export interface OpenNodesArguments {
  /** An array of entity names to retrieve */
  names: string[];
}

/** Read the entire knowledge graph */
export type ReadGraphArguments = {};

/** Search for nodes in the knowledge graph based on a query */
export interface SearchNodesArguments {
  /** The search query to match against entity names, types, and observation content */
  query: string;
}

export interface MemoryTools {
  add_observations: AddObservationsArguments;
  create_entities: CreateEntitiesArguments;
  create_relations: CreateRelationsArguments;
  delete_entities: DeleteEntitiesArguments;
  delete_observations: DeleteObservationsArguments;
  delete_relations: DeleteRelationsArguments;
  open_nodes: OpenNodesArguments;
  read_graph: ReadGraphArguments;
  search_nodes: SearchNodesArguments;
}
