export type {
  Address,
  ClusterConfig,
  Config,
  Credential,
  FunctionConfig,
  HandlerFunctionConfig,
  HttpFunctionConfig,
  LogLevel
} from './config/shape.ts'
